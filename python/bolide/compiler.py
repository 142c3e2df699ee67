"""What programs ask about compilation. Nothing is traced behind the program's back: these answer for eager running."""

__all__ = ["allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling", "is_dynamo_compiling",
           "is_exporting", "list_backends", "reset", "set_stance", "wrap_numpy"]


def compile(*args, **kwargs):
    """bolide.compile."""
    import bolide

    return bolide.compile(*args, **kwargs)


def is_compiling():
    return False


def is_dynamo_compiling():
    return False


def is_exporting():
    return False


def disable(fn=None, recursive=True, *, reason=None):
    """The function itself; usable as a decorator with and without arguments."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn):
    return fn


def assume_constant_result(fn):
    return fn


def wrap_numpy(fn):
    raise NotImplementedError("bolide.compiler.wrap_numpy is not built")


def substitute_in_graph(original_fn, **kwargs):
    return lambda fn: fn


def reset():
    """Nothing is kept."""


def cudagraph_mark_step_begin():
    """Nothing is captured."""


def list_backends(exclude_tags=("debug", "experimental")):
    return []


class set_stance:
    """Accepted as a context manager and decorator."""

    def __init__(self, stance="default", **kwargs):
        self.stance = stance

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def __call__(self, fn):
        return fn
