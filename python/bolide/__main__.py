"""Run a program that says `import torch` with Bolide, unchanged.

python -m bolide script.py [arguments]
python -m bolide -m module [arguments]
python -m bolide --version
"""

from __future__ import annotations

import io
import os
import sys
import types

import bolide
from bolide import _alias


def _run_script(path: str, arguments: list[str]) -> None:
    """Run a file as `__main__`. The module stays in place afterwards, for exit handlers and threads."""
    with io.open_code(os.path.abspath(path)) as file:
        code = compile(file.read(), path, "exec")
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=__builtins__, __spec__=None)
    sys.argv[:] = [path, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.abspath(path))
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit status."""
    if arguments[:1] == ["--version"]:
        print(f"Bolide {bolide.__version__}, follows PyTorch {_alias.FOLLOWS}")
        return 0
    if not arguments or arguments[0] in ("-h", "--help") or arguments == ["-m"]:
        asked = arguments[:1] in (["-h"], ["--help"])
        print((__doc__ or "").strip(), file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    if arguments[0] == "-m":
        import runpy

        _alias.install()
        sys.argv[:] = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
    if not os.path.isfile(arguments[0]):
        print(f"bolide: no such file: {arguments[0]}", file=sys.stderr)
        return 2
    _alias.install()
    _run_script(arguments[0], arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
