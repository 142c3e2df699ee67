"""Instruction budgets of small calls, counted by callgrind: they fail when a call grows by more than a sixth.

A count is the difference of two runs of the same program, one with more rounds, so start-up does not matter. When a change
makes a call cheaper, lower its budget.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed, so instructions cannot be counted"),
]

SETUP = """
import bolide as torch
x, y, v = torch.ones(4, 4), torch.ones(4, 4), torch.ones(8)
g = torch.ones(4, 4).requires_grad_()
m, s = torch.ones(4, 4), torch.ones(32, 32)
linear = torch.nn.Linear(8, 8)
rows = torch.ones(2, 8)
def chain():
    g.grad = None
    (g * 2 + 1).sum().backward()
"""
BUDGETS = {
    "x + y": 1700, "g + y": 3130, "v * 0.5": 1870, "x.sum(dim=1)": 3450, "x.view(16)": 1700, "s[4:8, 2]": 1850, "m @ m": 2240,
    "linear(rows)": 8790, "chain()": 23940, "torch.zeros(2, 2)": 2080,
}
TOLERANCE = 1.16
FEW, MANY = 200, 1200


def instructions(expression, rounds):
    program = f"{SETUP}\ndef run(n):\n    for _ in range(n): {expression}\nrun({rounds})"
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "0"}, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return int(re.search(r"refs:\s+([\d,]+)", done.stderr)[1].replace(",", ""))


@pytest.mark.parametrize("expression", BUDGETS)
def test_instructions(expression):
    count = (instructions(expression, MANY) - instructions(expression, FEW)) / (MANY - FEW)
    budget = BUDGETS[expression]
    assert count <= budget * TOLERANCE, f"{expression}: {count:.0f} instructions, budget {budget}"
