"""The rules of the house, checked on the sources themselves.

Map: includes between folders | one place per op | file sizes
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    p
    for d in ("include", "src", "python/csrc")
    for p in (ROOT / d).rglob("*")
    if p.suffix in (".h", ".cpp", ".inl", ".cu")
)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
LONGEST = 600

# Which folders of src the files of a folder may include. `bolide/` headers are open to all.
ALLOWED = {
    "src/core": {"core", "cpu/isa.h", "autograd/meta.h"},
    "src/autograd": {"core", "autograd"},
    "src/iter": {"core", "iter", "cpu"},
    "src/ops": {"core", "autograd", "iter", "ops"},
    "src/cpu": {"core", "iter", "cpu"},
    "src/cuda": {"core", "iter", "cuda"},
    "src/io": {"core", "autograd", "io", "cpu/isa.h"},
    "src/nn": {"core", "autograd", "io", "nn"},
    "src/optim": {"core", "nn", "optim"},
    "src/data": {"core", "data", "io"},
    "include": set(),
    "python/csrc": {"core", "autograd", "iter", "io", "python.h", "ops", "cpu", "cuda"},
}


def folder_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[:2]) if parts[0] in ("src", "python") else parts[0]


def foreign_includes(path: Path) -> list[str]:
    allowed = ALLOWED[folder_of(path)]
    found = []
    for name in INCLUDE.findall(path.read_text()):
        first = name.split("/")[0]
        inside = (path.parent / name).exists() and "/" not in name
        if first != "bolide" and not {first, name} & allowed and not inside:
            found.append(name)
    return found


def test_every_folder_has_a_rule():
    assert {folder_of(p) for p in SOURCES} <= set(ALLOWED)


def test_includes_keep_to_the_house():
    broken = {str(p.relative_to(ROOT)): f for p in SOURCES if (f := foreign_includes(p))}
    assert not broken, f"includes against the rules of docs/ARCHITECTURE.md: {broken}"


def test_only_the_binding_includes_python():
    assert not [str(p) for p in SOURCES if "<Python.h>" in p.read_text() and folder_of(p) != "python/csrc"]


def test_no_device_toolkit_at_build_time():
    headers = re.compile(r"#include <(cuda|nvrtc|cublas|cudnn|nccl)")
    assert not [str(p) for p in SOURCES if headers.search(p.read_text())]


def test_an_op_has_one_schema():
    """Overloads differ in what follows the dot; two blocks with one full name would be two places."""
    seen: dict[str, Path] = {}
    for p in SOURCES:
        for name in re.findall(r'schema = "([a-zA-Z0-9_.]+)\(', p.read_text()):
            assert name not in seen, f"{name} is declared in {seen[name].name} and {p.name}"
            seen[name] = p


def test_every_op_file_is_in_the_library():
    """Ops live in src/ops only."""
    assert not [
        str(p.relative_to(ROOT))
        for p in SOURCES
        if re.search(r"const Register<", p.read_text()) and folder_of(p) != "src/ops"
    ]


@pytest.mark.parametrize(
    "kind,files",
    [
        ("C++", SOURCES),
        ("Python", sorted((ROOT / "python/bolide").rglob("*.py"))),
        ("tests", sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "tests").rglob("*.cpp"))),
    ],
)
def test_files_stay_readable(kind, files):
    long = {str(p.relative_to(ROOT)): n for p in files if (n := p.read_text().count("\n")) > LONGEST}
    assert not long, f"{kind} files over {LONGEST} lines want splitting: {long}"


def test_files_open_with_their_purpose():
    silent = [str(p.relative_to(ROOT)) for p in SOURCES if not p.read_text().lstrip().startswith("//")]
    assert not silent, f"files without a line that says what they are: {silent}"
