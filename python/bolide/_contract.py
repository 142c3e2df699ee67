"""Contractions whose arguments want reading in Python: einsum, tensordot, chain_matmul."""

from . import _C

__all__ = ["chain_matmul", "einsum", "tensordot"]


def _letter(index):
    if not 0 <= index < 52:
        raise ValueError(f"einsum(): subscript in subscript list is not within the valid range [0, 52), got {index}")
    return chr(ord("A") + index) if index < 26 else chr(ord("a") + index - 26)


def _subscripts(labels):
    return "".join("..." if s is Ellipsis else _letter(int(s)) for s in labels)


def einsum(*args):
    """The sum of products named by subscripts.

    Args:
        args: an equation such as ``"ij,jk->ik"`` and its operands; or operands, each followed by its list of subscripts
            (numbers below 52 or ``...``), and last, if wanted, the subscripts of the result.
    """
    if len(args) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand, or at least one operand and "
                         "its subscripts list")
    if isinstance(args[0], _C.Tensor):
        equation = ",".join(_subscripts(labels) for labels in args[1::2])
        operands = args[0:len(args) - len(args) % 2:2]
        if len(args) % 2:
            equation += "->" + _subscripts(args[-1])
    else:
        equation, operands = args[0], args[1:]
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = operands[0]
    return _C._ops.einsum(equation, list(operands))


def tensordot(a, b, dims=2, out=None):
    """The sum of products over pairs of dimensions: the last `dims` of `a` with the first of `b`, or two lists of them."""
    if isinstance(dims, _C.Tensor):
        dims = dims.tolist() if dims.numel() > 1 else int(dims.item())
    if isinstance(dims, (list, tuple)):
        first, second = dims
        first = [first] if isinstance(first, int) else list(first)
        second = [second] if isinstance(second, int) else list(second)
    else:
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(-dims, 0)), list(range(dims))
    return _C._ops.tensordot(a, b, first, second, **({} if out is None else {"out": out}))


def chain_matmul(*matrices, out=None):
    """The product of matrices in the order that costs least."""
    return _C._ops.chain_matmul(list(matrices), **({} if out is None else {"out": out}))
