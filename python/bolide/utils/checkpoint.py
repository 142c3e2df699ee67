"""Activation checkpoints: what a function saves for backward is dropped and computed again when backward
asks.

Two variants. Without re-entry (recommended): hooks on saved tensors count them in the forward, and the first
one that backward unpacks runs the function again and collects all of them. With re-entry: one node of
autograd, whose backward runs the function and a backward of its own.

Map: switches | random state | without re-entry | with re-entry | checkpoint | sequences | selective
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any

import bolide
from bolide import Tensor

__all__ = [
    "CheckpointError",
    "CheckpointFunction",  # noqa: F822 - made at first use
    "CheckpointPolicy",
    "DefaultDeviceType",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did not save what the first one saved."""


# ---- switches ----------------------------------------------------------------------------------

_debug: bool | None = None
_early_stop: bool | None = None


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Inside, errors list the saved tensors of both runs (or do not, or as each call says when None)."""
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Inside, second runs stop as soon as all tensors are there (the default), or go on to the end."""
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


class DefaultDeviceType:
    """The device type whose random state is kept when no argument tells one."""

    _default_device_type = "cpu"

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Choose it."""
        DefaultDeviceType._default_device_type = device

    @staticmethod
    def get_device_type() -> str:
        """What was chosen."""
        return DefaultDeviceType._default_device_type


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing, for the first run and for the second."""
    return contextlib.nullcontext(), contextlib.nullcontext()


# ---- random state ------------------------------------------------------------------------------


def _cuda_devices(args: Any) -> list[int]:
    """The numbers of the CUDA devices of the tensors among `args`."""
    from ._pytree import tree_iter

    return sorted({t.get_device() for t in tree_iter(list(args)) if isinstance(t, Tensor) and t.is_cuda})


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """(devices, random states) of the CUDA devices of the tensors among `args`."""
    devices = _cuda_devices(args)
    return devices, [bolide.cuda.get_rng_state(d) for d in devices]


def set_device_states(devices: list[int], states: list[Tensor], *, device_type: str | None = None) -> None:
    """Restores what `get_device_states` gave."""
    for device, state in zip(devices, states, strict=True):
        bolide.cuda.set_rng_state(state, device)


class _RandomState:
    """The random numbers at the start of a run, to begin another run with."""

    def __init__(self, args: Any) -> None:
        self.cpu = bolide.get_rng_state()
        self.devices, self.states = get_device_states(*args)

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """Inside, random numbers are those of that run;
        afterwards they go on as if nothing had been drawn.
        """
        cpu = bolide.get_rng_state()
        states = [bolide.cuda.get_rng_state(d) for d in self.devices]
        bolide.set_rng_state(self.cpu)
        set_device_states(self.devices, self.states)
        try:
            yield
        finally:
            bolide.set_rng_state(cpu)
            set_device_states(self.devices, states)


def _autocast_states() -> list[Any]:
    """Contexts that make autocast what it is now."""
    if not hasattr(bolide, "is_autocast_enabled"):
        return []
    states = []
    for device in ("cpu", "cuda"):
        enabled = bolide.is_autocast_enabled(device)
        states.append(
            (device, enabled, bolide.get_autocast_dtype(device), bolide.is_autocast_cache_enabled())
        )
    return states


@contextlib.contextmanager
def _autocast_again(states: list[Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for device, enabled, dtype, cache in states:
            if enabled or bolide.is_autocast_enabled(device):
                stack.enter_context(
                    bolide.amp.autocast(device, dtype=dtype, enabled=enabled, cache_enabled=cache)
                )
        yield


# ---- without re-entry --------------------------------------------------------------------------


class _Enough(Exception):
    """Stops a second run: all tensors are there."""


def _metadata(x: Tensor) -> dict[str, Any]:
    return {"shape": x.shape, "dtype": x.dtype, "device": x.device}


def _no_metadata(x: Tensor) -> None:
    return None


_EXTRACTORS: dict[str, Callable[[Tensor], Any]] = {"default": _metadata, "none": _no_metadata}


def _keep_inputs_class() -> Any:
    """A node that only holds a call's tensors.

    Held by autograd rather than by the frame, they pass through the hooks of a checkpoint around this one,
    which can drop them too, and autograd notices when they are overwritten.
    """

    class KeepInputs(bolide.autograd.Function):
        @staticmethod
        def forward(ctx: Any, dummy: Tensor, *tensors: Tensor) -> Tensor:
            ctx.save_for_backward(*tensors)
            return dummy.clone()

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            raise AssertionError("Did not expect to backward on this graph")

    return KeepInputs


_keep_inputs: Any = None


class _Arguments:
    """A call's arguments; tensors among the positional ones are held by a node of autograd."""

    def __init__(self, args: tuple, kwargs: dict) -> None:
        global _keep_inputs
        if _keep_inputs is None:
            _keep_inputs = _keep_inputs_class()
        self.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        self.others = [None if isinstance(a, Tensor) else a for a in args]
        self.kwargs = kwargs
        dummy = bolide.empty((0,), requires_grad=True)
        self.node = _keep_inputs.apply(dummy, *[args[i] for i in self.places]).grad_fn

    def get(self) -> tuple[list, dict]:
        args = list(self.others)
        for place, tensor in zip(self.places, self.node.saved_tensors, strict=True):
            args[place] = tensor
        return args, self.kwargs


class _Frame:
    """One checkpointed call: counts what the first run saves, and runs again when backward asks for it."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, options: dict[str, Any]) -> None:
        self.function = function
        self.extract = _EXTRACTORS[options["determinism_check"]]
        self.second_context = options["second_context"]
        self.early_stop = options["early_stop"]
        self.debug = options["debug"]
        self.random = _RandomState((args, kwargs)) if options["preserve_rng_state"] else None
        self.autocast = _autocast_states()
        self.arguments = _Arguments(args, kwargs)
        self.saved: list[Any] = []  # the metadata of each tensor of the first run
        self.tensors: list[Tensor] | None = None  # those of the second run, while backward needs them
        self.waiting: set[int] = set()

    def pack(self, x: Tensor) -> int:
        self.saved.append(self.extract(x))
        return len(self.saved) - 1

    def unpack(self, index: int) -> Tensor:
        if self.tensors is None:
            self.tensors = self.run_again()
            self.waiting = set(range(len(self.tensors)))
        tensor = self.tensors[index]
        self.waiting.discard(index)
        if not self.waiting:  # backward has had each of them
            self.tensors = None
        return tensor

    def run_again(self) -> list[Tensor]:
        args, kwargs = self.arguments.get()
        found: list[Tensor] = []

        def collect(x: Tensor) -> Tensor:
            found.append(x.detach())
            if self.early_stop and len(found) == len(self.saved):
                raise _Enough
            return x.detach()

        def stay(x: Tensor) -> Tensor:  # for a backward inside the function
            return x

        random = self.random.again() if self.random is not None else contextlib.nullcontext()
        hooks = bolide.autograd.graph.saved_tensors_hooks(collect, stay)
        with random, _autocast_again(self.autocast), self.second_context, bolide.enable_grad():
            try:
                with hooks:
                    self.function(*args, **kwargs)
            except _Enough:
                pass
        self.check(found)
        return found

    def check(self, found: list[Tensor]) -> None:
        if len(found) != len(self.saved):
            raise self.error(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward "
                "and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.saved)}\n"
                f"Number of tensors saved during recomputation: {len(found)}.",
                found,
            )
        differing = [
            f"tensor at position {i}:\nsaved metadata: {before}\nrecomputed metadata: {after}"
            for i, (before, after) in enumerate(zip(self.saved, map(self.extract, found), strict=True))
            if before != after
        ]
        if differing:
            text = "\n".join(differing)
            raise self.error(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata "
                "than "
                f"during the forward pass.\n{text}\n.",
                found,
            )

    def error(self, text: str, found: list[Tensor]) -> CheckpointError:
        if _debug if _debug is not None else self.debug:
            first = "\n".join(f"  {i}: {m}" for i, m in enumerate(self.saved))
            second = "\n".join(f"  {i}: {_metadata(t)}" for i, t in enumerate(found))
            return CheckpointError(
                f"{text}\nSaved in the first run:\n{first}\nSaved in the second run:\n{second}"
            )
        tip = (
            "\n\nTip: To see a more detailed error message, either pass `debug=True` to "
            "`torch.utils.checkpoint.checkpoint(...)` or wrap the code block with "
            "`with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):`"
        )
        return CheckpointError(text + tip)


def _without_reentry(
    function: Callable, args: tuple, kwargs: dict, context_fn: Callable, options: dict
) -> Any:
    first_context, options["second_context"] = context_fn()
    if not bolide.is_grad_enabled():  # nothing will be saved
        with first_context:
            return function(*args, **kwargs)
    frame = _Frame(function, args, kwargs, options)
    with bolide.autograd.graph.saved_tensors_hooks(frame.pack, frame.unpack), first_context:
        return function(*args, **kwargs)


# ---- with re-entry -----------------------------------------------------------------------------


def detach_variable(inputs: tuple) -> tuple:
    """The tensors cut off from their graphs, each asking for a gradient as before;
    other values as they are.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            f"Only tuple of tensors is supported. Got Unsupported input type:  {type(inputs).__name__}"
        )
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warns when no input asks for a gradient: then the checkpoint has none either."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        import warnings

        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


def _checkpoint_function() -> Any:
    """The node of the variant with re-entry (made at first use: it needs autograd's Python side)."""

    class CheckpointFunction(bolide.autograd.Function):
        """Runs a function without recording, and records it in backward."""

        @staticmethod
        def forward(ctx: Any, run_function: Callable, preserve_rng_state: bool, *args: Any) -> Any:
            check_backward_validity(args)
            ctx.run_function = run_function
            ctx.random = _RandomState(args) if preserve_rng_state else None
            ctx.autocast = _autocast_states()
            ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
            ctx.others = [None if isinstance(a, Tensor) else a for a in args]
            ctx.save_for_backward(*[args[i] for i in ctx.places])
            with bolide.no_grad():
                return run_function(*args)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            values = list(ctx.others)
            for place, tensor in zip(ctx.places, ctx.saved_tensors, strict=True):
                values[place] = tensor
            inputs = detach_variable(tuple(values))
            random = ctx.random.again() if ctx.random is not None else contextlib.nullcontext()
            with random, bolide.enable_grad(), _autocast_again(ctx.autocast):
                outputs = ctx.run_function(*inputs)
            outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
            pairs = [
                (out, grad)
                for out, grad in zip(outputs, grads, strict=True)
                if isinstance(out, Tensor) and out.requires_grad and grad is not None
            ]
            if not pairs:
                raise RuntimeError(
                    "none of output has requires_grad=True, this checkpoint() is not necessary"
                )
            bolide.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
            return (None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs))

    CheckpointFunction.__module__ = __name__
    CheckpointFunction.__qualname__ = "CheckpointFunction"
    return CheckpointFunction


def __getattr__(name: str) -> Any:
    if name == "CheckpointFunction":
        found = globals()[name] = _checkpoint_function()
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ---- checkpoint --------------------------------------------------------------------------------

_SAY_WHICH = (
    "the use_reentrant parameter should be passed explicitly. use_reentrant=False is recommended, but if "
    "you need to preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for "
    "more details on the differences between the two variants."
)


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Calls a function whose saved tensors are computed again in backward: less memory for more time.

    Args:
        function: what to call. Both runs must compute the same; random numbers are restored.
        args, kwargs: its arguments; `preserve_rng_state=False` among the latter leaves random numbers alone.
        use_reentrant: which variant: False is recommended, True is the old one (and the default, with a
            warning).
        context_fn: gives two contexts, for the first run and for the second.
        determinism_check: 'default' compares shapes, dtypes and devices of both runs, 'none' does not.
        debug: let errors list the saved tensors.
        early_stop: let the second run stop when all tensors are there.
    """
    if use_reentrant is None:
        import warnings

        warnings.warn(f"torch.utils.checkpoint: {_SAY_WHICH}", stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        cls = globals().get("CheckpointFunction") or __getattr__("CheckpointFunction")
        return cls.apply(function, preserve, *args)
    if determinism_check not in _EXTRACTORS:
        raise ValueError(
            f"determinism_check should be one of {list(_EXTRACTORS)}, but got {determinism_check}"
        )
    options = {
        "preserve_rng_state": preserve,
        "determinism_check": determinism_check,
        "debug": debug,
        "early_stop": early_stop if _early_stop is None else _early_stop,
    }
    return _without_reentry(function, args, kwargs, context_fn, options)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Calls functions one after another, in `segments` pieces of which all but the last are checkpoints.

    Args:
        functions: a Sequential or a list of functions of one argument.
        segments: number of pieces.
        input: the first function's argument.
        use_reentrant: see `checkpoint`.
        kwargs: `preserve_rng_state=False` leaves random numbers alone.
    """
    if use_reentrant is None:
        import warnings

        warnings.warn(f"torch.utils.checkpoint.checkpoint_sequential: {_SAY_WHICH}", stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children()) if isinstance(functions, bolide.nn.Sequential) else list(functions)

    def piece(start: int, end: int) -> Callable:
        def run(x: Any) -> Any:
            for function in functions[start : end + 1]:
                x = function(x)
            return x

        return run

    size, end = len(functions) // segments, -1
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        input = checkpoint(piece(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return piece(end + 1, len(functions) - 1)(input)


# ---- selective ---------------------------------------------------------------------------------


class CheckpointPolicy(Enum):
    """What a selective checkpoint does with an op's result."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class SelectiveCheckpointContext:
    """What a policy function is told about the run that asks."""

    def __init__(self, *, is_recompute: bool, op_output: Any = None) -> None:
        self.is_recompute = is_recompute
        self.op_output = op_output


def create_selective_checkpoint_contexts(
    policy_fn_or_list: Any, allow_cache_entry_mutation: bool = False
) -> Any:
    """Contexts for `context_fn` that save some ops' results.

    Raises NotImplementedError: that is not built yet.
    """
    raise NotImplementedError(
        "create_selective_checkpoint_contexts() is not built yet: calls of ops cannot be watched"
    )
