#!/usr/bin/env python3
"""Replay recorded PyTorch results with Bolide and hold the count of agreeing checks above a floor.

    tools/conformance.py FOLDER [--floor FILE] [--only PATTERNS]

FOLDER holds the runner (run.py) and the recorded packs (*.zip). What is not built yet fails its checks there
without failing this program: it fails when fewer checks agree than the number that --floor's file names,
or when the runner itself broke. With --only (shell patterns, by commas) the floor is not looked at.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--floor", type=Path)
    parser.add_argument("--only")
    args = parser.parse_args()

    packs = sorted(args.folder.glob("*.zip"))
    if not packs:
        print(f"conformance: no recorded packs in {args.folder}", file=sys.stderr)
        return 2
    command = [sys.executable, str(args.folder / "run.py"), "--lib", "bolide", *map(str, packs)]
    if args.only:
        return subprocess.run([*command, "--only", args.only]).returncode

    done = subprocess.run([*command, "--failures", "0"], stdout=subprocess.PIPE, text=True)
    lines = done.stdout.strip().splitlines()
    # The runner lists each file that does not agree whole; its summary follows an empty line.
    summary = lines[len(lines) - lines[::-1].index("") :] if "" in lines else lines
    print("\n".join(summary))
    found = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1]) if lines else None
    if not found:
        print(f"conformance: the runner broke (exit status {done.returncode})", file=sys.stderr)
        return 2
    passed, floor = int(found[1]), int(args.floor.read_text()) if args.floor else 0
    if passed < floor:
        print(f"conformance: {passed} checks agree, {floor} did before ({args.floor})", file=sys.stderr)
        return 1
    print(f"conformance: {passed} checks agree, at least {floor} must ({args.floor})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
