"""Bolide under the name `torch`: after `install()`, `import torch[.x]` in this process gives `bolide[.x]`.

`python -m bolide script.py` installs it first, before any other torch. After a plain `import bolide`, the import of
`torch` comes here, too, but only where no package of that name is installed (`bolide._TorchFinder`).

The modules are the same objects under both names, so classes, registries and state exist once. Packages that
ask for PyTorch's version before they use it (through importlib.metadata or `torch.__version__`) are told the
version whose behaviour Bolide follows.

Processes started afresh (not forked) have to call `install()` themselves.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module, metadata
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import bolide

__all__ = ["FOLLOWS", "TorchVersion", "install", "installed", "uninstall"]

FOLLOWS = "2.13.0"  # the PyTorch version whose behaviour Bolide follows


class TorchVersion(str):
    """A version text that also orders by number against texts and tuples: "2.13.0" > "2.4", >= (2, 0)."""

    @staticmethod
    def _numbers(version: Any) -> tuple[int, ...]:
        if not isinstance(version, str):
            return tuple(int(part) for part in version)
        release = re.match(r"\s*v?(\d+(?:\.\d+)*)", version)
        if release is None:
            raise ValueError(f"{version!r} is no version")
        return tuple(int(part) for part in release[1].split("."))

    def _compare(self, other: Any) -> int:
        """-1, 0 or 1; missing places count as zero."""
        mine, theirs = self._numbers(str(self)), self._numbers(other)
        places = max(len(mine), len(theirs))
        mine, theirs = (numbers + (0,) * (places - len(numbers)) for numbers in (mine, theirs))
        return (mine > theirs) - (mine < theirs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (str, tuple, list)):
            return NotImplemented
        return str.__eq__(self, other) is True or ("+" not in str(other) and self._compare(other) == 0)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return self._compare(other) < 0

    def __le__(self, other: Any) -> bool:
        return self._compare(other) <= 0

    def __gt__(self, other: Any) -> bool:
        return self._compare(other) > 0

    def __ge__(self, other: Any) -> bool:
        return self._compare(other) >= 0

    __hash__ = str.__hash__


class _Distribution(metadata.Distribution):
    """What importlib.metadata tells about the package `torch`."""

    _texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {FOLLOWS}\n",
        "top_level.txt": "torch\n",
    }

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: Any) -> Path:
        return Path(bolide.__file__).parent.parent / path


class _Finder(MetaPathFinder, Loader):
    """Finds `torch[.x]` and loads `bolide[.x]` for it."""

    @staticmethod
    def _target(name: str) -> str:
        return "bolide" + name.removeprefix("torch")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "torch" and not name.startswith("torch."):
            return None
        own = self._target(name)
        if own not in sys.modules:
            try:
                found = importlib.util.find_spec(own)
            except ModuleNotFoundError:
                found = None
            if found is None:
                return None  # "No module named 'torch.x'" follows, as it should
        return ModuleSpec(name, self, is_package=hasattr(sys.modules.get(own), "__path__"))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        install()
        module = import_module(self._target(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The module has run under its own name; what remains is to give it back the spec of that name.
        alias = module.__spec__
        if alias is not None and alias.loader is self:
            module.__spec__ = alias.loader_state

    def find_distributions(self, context: Any = None) -> Iterable[metadata.Distribution]:
        name = getattr(context, "name", None)
        return [_Distribution()] if name is None or name.lower() == "torch" else []


_finder = _Finder()
_own_version: str | None = None


def installed() -> bool:
    """Whether `import torch` gives Bolide in this process."""
    return _finder in sys.meta_path


def install() -> None:
    """Make `import torch` give Bolide in this process.

    Raises:
        RuntimeError: another package has been imported as `torch` already.
    """
    global _own_version
    if installed():
        return
    other = sys.modules.get("torch", bolide)
    if other is not bolide:
        place = getattr(other, "__file__", "no file")
        raise RuntimeError(f"bolide cannot stand in for torch: another torch is imported already ({place})")
    sys.meta_path.insert(0, _finder)
    _own_version = bolide.__version__
    bolide.__version__ = TorchVersion(FOLLOWS + "+bolide")


def uninstall() -> None:
    """Undo `install()` for imports that follow; modules that hold Bolide as `torch` keep it."""
    if not installed():
        return
    sys.meta_path.remove(_finder)
    bolide.__version__ = _own_version
    for name in list(_aliases()):
        del sys.modules[name]


def _aliases() -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        under_torch = name == "torch" or name.startswith("torch.")
        if under_torch and module is sys.modules.get(_Finder._target(name)):
            yield name
