"""make_tensor: random tensors for tests."""

import bolide


def _limits(dtype, low, high):
    if dtype is bolide.bool:
        return 0, 2
    if dtype.is_floating_point or dtype.is_complex:
        return (-9.0 if low is None else low), (9.0 if high is None else high)
    small = 0 if not dtype.is_signed else -9
    return (small if low is None else low), (10 if high is None else high)


def make_tensor(*shape, dtype, device="cpu", low=None, high=None, requires_grad=False, noncontiguous=False, exclude_zero=False,
                memory_format=None):
    """A tensor of random values in [low, high), by default small ones that suit the dtype."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    if noncontiguous and memory_format is not None:
        raise ValueError(f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got noncontiguous={noncontiguous} "
                         f"and memory_format={memory_format}")
    low, high = _limits(dtype, low, high)
    if low > high:
        raise ValueError(f"make_tensor: `low` must be less than or equal to `high`, but got {low} > {high}")
    whole = (*shape[:-1], 2 * shape[-1]) if noncontiguous and shape else shape
    if dtype.is_complex:
        real = dtype.to_real()
        parts = [bolide.empty(whole, dtype=bolide.float64).uniform_(low, high).to(real) for _ in range(2)]
        result = bolide.complex(*parts).to(dtype)
    elif dtype.is_floating_point:
        result = bolide.empty(whole, dtype=bolide.float64).uniform_(low, high).to(dtype)
    else:
        result = bolide.randint(int(low), int(high), whole).to(dtype)
    result = result.to(device)
    if noncontiguous and shape:
        result = result[..., ::2]
    if exclude_zero:
        result[result == 0] = 1
    if memory_format is not None:
        result = result.contiguous(memory_format=memory_format)
    return result.requires_grad_() if requires_grad else result
