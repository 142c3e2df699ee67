"""Random bad arguments never kill the process: see fuzz_ops.py. BOLIDE_FUZZ_SECONDS sets how long (10 by
default)."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("fuzz_ops.py")


def run(seconds: float, seed: int, log: Path) -> str | None:
    """What went wrong, or None."""
    command = [sys.executable, str(SCRIPT), str(seconds), str(seed), str(log)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    except subprocess.TimeoutExpired:
        return f"hangs in {log.read_text().strip()}"
    if done.returncode == 0:
        return None
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else done.stderr.strip()[-400:]
    return f"{how} in {log.read_text().strip()}"


def test_bad_arguments_raise(tmp_path):
    seconds = float(os.environ.get("BOLIDE_FUZZ_SECONDS", "10"))
    seed = int(os.environ.get("BOLIDE_FUZZ_SEED", str(random.randrange(10**6))))
    problem = run(seconds, seed, tmp_path / "call.txt")
    assert problem is None, f"BOLIDE_FUZZ_SEED={seed}: {problem}"
