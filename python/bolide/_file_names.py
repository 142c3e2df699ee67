"""Names in files: Bolide's own and PyTorch's, in both directions."""

from __future__ import annotations

import contextlib
from typing import Any

import bolide
from bolide import _pickle_policy as policy
from bolide import _utils
from bolide.storage import legacy_classes

__all__: list[str] = []

# Where files look for what Bolide keeps elsewhere: (module, name) of ours -> of PyTorch.
_TO_FILE = {
    ("bolide._utils", "_rebuild_from_type_v2"): ("torch._tensor", "_rebuild_from_type_v2"),
    ("bolide._utils", "_get_layout"): ("torch.serialization", "_get_layout"),
    ("bolide._C", "Tensor"): ("torch", "Tensor"),
    ("bolide", "Generator"): ("torch._C", "Generator"),
}
_FROM_FILE = {theirs: ours for ours, theirs in _TO_FILE.items()}


def _file_name(module: str, name: str) -> tuple[str, str]:
    """The name that files use for one of ours."""
    if (module, name) in _TO_FILE:
        return _TO_FILE[module, name]
    if module == "bolide" or module.startswith("bolide."):
        return "torch" + module[len("bolide") :], name
    return module, name


def _full_name(obj: Any) -> str:
    module, name = _file_name(obj.__module__, obj.__qualname__)
    return name if module == "builtins" else f"{module}.{name}"


def _find_theirs(module: str, name: str) -> Any:
    """Bolide's object for PyTorch's `module.name`."""
    if (module, name) in _FROM_FILE:
        module, name = _FROM_FILE[module, name]
    if module in ("torch", "torch.cuda") and name in legacy_classes():
        return legacy_classes()[name]
    if module == "bolide" and name == "Tensor":
        return bolide.Tensor
    if module in ("bolide._utils", "torch._utils"):
        return bolide if name == "torch" else getattr(_utils, name)
    if module.startswith("torch.nn.modules."):  # our modules may be cut differently into files
        with contextlib.suppress(ImportError, AttributeError):
            return policy.find_torch(module, name)
        return policy.find_torch("torch.nn", name)
    return policy.find_torch(module, name)
