"""Gradients as functions of outputs and inputs."""

from .. import _C
from .._modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled"]


def _sequence(x):
    return (x,) if isinstance(x, _C.Tensor) else tuple(x)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=None, is_grads_batched=False,
         materialize_grads=False):
    """The gradients of ``outputs`` with respect to ``inputs``, one for each; None where unused and allowed."""
    if is_grads_batched:
        raise NotImplementedError("grad(is_grads_batched=True) is not built yet")
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    cotangents = (None,) * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    keep = create_graph if retain_graph is None else retain_graph
    result = _C._run_grad(outputs, inputs, cotangents, bool(keep), bool(create_graph), bool(allow_unused or materialize_grads))
    if materialize_grads:
        result = tuple(_C.zeros_like(x) if g is None else g for g, x in zip(result, inputs, strict=True))
    return result


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Adds the gradients of ``tensors`` to ``.grad`` of the leaves they depend on."""
    tensors = _sequence(tensors)
    cotangents = (None,) * len(tensors) if grad_tensors is None else _sequence(grad_tensors)
    keep = create_graph if retain_graph is None else retain_graph
    _C._run_backward(tensors, cotangents, bool(keep), bool(create_graph), inputs)
