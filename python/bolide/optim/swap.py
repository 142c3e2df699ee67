"""Running an optimizer on borrowed parameters and state."""

import contextlib

__all__ = ["swap_in_optimizer_params_and_state"]


@contextlib.contextmanager
def swap_in_optimizer_params_and_state(optimizer, swapin_parameters, swapin_optim_state):
    """Within the scope the optimizer updates ``swapin_parameters`` with the state ``swapin_optim_state``.

    swapin_parameters: a dict of tensors in the order of the optimizer's own parameters; swapin_optim_state: shaped as
    ``optimizer.state_dict()``. The optimizer's own parameters, options and state are back afterwards.
    Throws ValueError where the numbers of parameters differ.
    """
    own_groups, own_state = optimizer.param_groups, optimizer.state
    tensors = list(swapin_parameters.values())
    wanted = sum(len(g["params"]) for g in own_groups)
    if len(tensors) != wanted:
        raise ValueError(f"swapin_parameters has {len(tensors)} tensors, but the optimizer has {wanted} parameters")
    borrowed, rest = [], iter(tensors)
    for group in own_groups:
        borrowed.append({**group, "params": [next(rest) for _ in group["params"]]})
    try:
        optimizer.param_groups = borrowed
        optimizer.load_state_dict(swapin_optim_state)
        yield
    finally:
        optimizer.param_groups, optimizer.state = own_groups, own_state
        optimizer.__dict__.pop("_complex", None)
