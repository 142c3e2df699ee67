"""Functions of functions, and modules as functions of their parameters."""

from .modules import functional_call, stack_module_state

__all__ = ["functional_call", "stack_module_state"]
