"""Automatic differentiation: gradients as functions of outputs and inputs, user-defined functions, scopes and hooks."""

import importlib as _importlib
import warnings as _warnings

from .. import _C
from . import anomaly_mode, forward_ad, function, functional, grad_mode, graph, variable
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function, NestedIOFunction
from .gradcheck import gradcheck, gradgradcheck
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_multithreading_enabled,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from .variable import Variable

SavedTensor = _C.SavedTensor

__all__ = ["Function", "NestedIOFunction", "Variable", "anomaly_mode", "backward", "detect_anomaly", "enable_grad", "forward_ad", "function",
           "functional", "grad", "grad_mode", "gradcheck", "gradgradcheck", "graph", "inference_mode", "is_multithreading_enabled", "no_grad",
           "set_detect_anomaly", "set_grad_enabled", "set_multithreading_enabled", "variable"]


def _tuple(value):
    return (value,) if isinstance(value, (_C.Tensor, graph.GradientEdge)) else tuple(value)


def _cotangents(grads, outputs):
    if grads is None:
        return (None,) * len(outputs)
    grads = (grads,) if isinstance(grads, _C.Tensor) else tuple(grads)
    for g in grads:
        if g is not None and not isinstance(g, _C.Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    for o in outputs:
        assert isinstance(o, (_C.Tensor, graph.GradientEdge)), "Expected output to be a torch.Tensor"
    return grads


_warned_cycle = False


def _warn_cycle():
    global _warned_cycle
    if not _warned_cycle:
        _warned_cycle = True
        _warnings.warn("Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient which can "
                       "cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you have to use this "
                       "function, make sure to reset the .grad fields of your parameters to None after use to break the cycle and avoid the "
                       "leak.", stacklevel=3)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Adds the gradients of ``tensors`` to ``.grad`` of the leaves they depend on (of ``inputs`` only, when given)."""
    if grad_variables is not None:
        _warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError("`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only use "
                               "`grad_tensors`.")
        grad_tensors = grad_variables
    if inputs is not None:
        inputs = _tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    if create_graph:
        _warn_cycle()
    outputs = _tuple(tensors)
    keep = create_graph if retain_graph is None else retain_graph
    _C._run_backward(outputs, _cotangents(grad_tensors, outputs), keep, create_graph, inputs or (), True, True)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=None, is_grads_batched=False,
         materialize_grads=False):
    """The gradients of ``outputs`` with respect to ``inputs``, one for each; None where unused and allowed.

    With ``is_grads_batched``, ``grad_outputs`` have a further first dimension and so have the results: one backward each.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    if allow_unused is None:
        allow_unused = materialize_grads
    outputs, inputs = _tuple(outputs), _tuple(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    cotangents = _cotangents(grad_outputs, outputs)
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        result = _batched_grad(outputs, inputs, cotangents, keep, create_graph, allow_unused)
    else:
        result = _C._run_backward(outputs, cotangents, keep, create_graph, inputs, allow_unused, False)
    if materialize_grads:
        for i, x in enumerate(inputs):
            if result[i] is None and not isinstance(x, _C.Tensor):
                raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
        batch = (len(next(g for g in cotangents if g is not None)),) if is_grads_batched else ()
        result = tuple(_C.zeros_like(x).expand(*batch, *x.shape) if g is None else g for g, x in zip(result, inputs, strict=True))
    return result


def _batched_grad(outputs, inputs, cotangents, keep, create_graph, allow_unused):
    sizes = {len(g) for g in cotangents if g is not None}
    if len(sizes) != 1:
        raise RuntimeError("is_grads_batched=True: grad_outputs must have one size in their first dimension, but got "
                           + (", ".join(map(str, sorted(sizes))) or "no grad_outputs"))
    for i, (g, o) in enumerate(zip(cotangents, outputs, strict=True)):
        if g is not None and isinstance(o, _C.Tensor) and g.shape[1:] != o.shape:
            raise RuntimeError(f"If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The sizes "
                               f"of the remaining dimensions are expected to match the shape of corresponding output, but a mismatch was detected: "
                               f"grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {o.shape}. If you only want some tensors in "
                               "`grad_output` to be considered batched, consider using vmap.")
    (n,) = sizes
    rows = []
    for k in range(n):
        row = tuple(None if g is None else g[k] for g in cotangents)
        rows.append(_C._run_backward(outputs, row, keep or k + 1 < n, create_graph, inputs, allow_unused, False))
    if n == 0:
        return tuple(x.new_zeros((0, *x.shape)) for x in inputs)
    return tuple(None if all(g is None for g in column) else
                 _C.stack([_C.zeros_like(x) if g is None else g for g in column]) for column, x in zip(zip(*rows, strict=True), inputs, strict=True))


def __getattr__(name):
    if name == "profiler":
        return _importlib.import_module(".profiler", __name__)
    raise AttributeError(f"module 'torch.autograd' has no attribute '{name}'")
