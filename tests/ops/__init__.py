"""Rows of the test table, one file per family of ops, as in src/ops."""

import importlib
import pkgutil

for _file in pkgutil.iter_modules(__path__):
    if _file.name != "table":
        importlib.import_module(f"{__name__}.{_file.name}")

from .table import TABLE as TABLE  # noqa: E402
