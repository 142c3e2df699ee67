"""Forward-mode differentiation: not built yet, every entry says so."""

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

from collections import namedtuple

UnpackedDualTensor = namedtuple("UnpackedDualTensor", ["primal", "tangent"])


def _missing(name):
    return NotImplementedError(f"forward-mode automatic differentiation (autograd.forward_ad.{name}) is not built yet; "
                               "autograd.functional.jvp computes the same product with two backward passes")


def enter_dual_level():
    """Begins a level of forward-mode differentiation."""
    raise _missing("enter_dual_level")


def exit_dual_level(*, level=None):
    """Ends a level."""
    raise _missing("exit_dual_level")


def make_dual(tensor, tangent, *, level=None):
    """A tensor with a tangent."""
    raise _missing("make_dual")


def unpack_dual(tensor, *, level=None):
    """A dual tensor's parts."""
    raise _missing("unpack_dual")


class dual_level:
    """A scope with a level of forward-mode differentiation."""

    def __enter__(self):
        raise _missing("dual_level")

    def __exit__(self, *exc):
        pass
