"""The modules of C++ are those of Python: the same names, text, initial values, state dicts and results.

`build/bolide_modules` describes every C++ module in a line (see tests/cpp/parity/modules.cpp); each line says how to make
the same module in Python.
"""

import math
import os
import subprocess
from pathlib import Path

import pytest

import bolide as torch
from bolide import nn

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("BOLIDE_BUILD_DIR", ROOT / "build")) / "bolide_modules"

# Names of bolide.nn that C++ has under another name, or does not have, and why. A name here that C++ gains, or that
# Python loses, makes a test fail.
EXCEPTIONS = {
    "Container": "the old name of Module, kept by Python only",
    "Module": "the base class; it has no line of its own",
    "NLLLoss2d": "the old name of NLLLoss, kept by Python only",
    "RNNBase": "nn::RNNImplBase, of which C++ makes no objects",
    "RNNCellBase": "nn::RNNCellImplBase, of which C++ makes no objects",
    "SyncBatchNorm": "needs distributed training, which C++ does not have",
    "LinearCrossEntropyLoss": "a tuning of memory in Python; C++ composes Linear and CrossEntropyLoss",
    "LinearCrossEntropyOptions": "options of LinearCrossEntropyLoss",
    "Buffer": "C++ registers buffers by register_buffer",
    "Parameter": "C++ registers parameters by register_parameter",
    "UninitializedBuffer": "belongs to the lazy modules",
    "UninitializedParameter": "belongs to the lazy modules",
}


def is_exception(name):
    """Lazy modules learn their sizes from the first input; C++ asks for them in the options, which its types demand."""
    return name in EXCEPTIONS or name.startswith("Lazy")


def lines():
    if not PROGRAM.exists():
        return []
    done = subprocess.run([str(PROGRAM)], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


LINES = lines()
pytestmark = pytest.mark.skipif(not LINES, reason="needs build/bolide_modules (make build with doctest installed)")


def wave(*size, scale=1.0):
    count = math.prod(size)
    return ((torch.arange(count, dtype=torch.float32).reshape(size) + 1) * 0.7).sin() * scale


def places(*size, classes):
    return torch.arange(math.prod(size)).reshape(size) % classes


def signs(*size):
    return torch.arange(math.prod(size), dtype=torch.float32).reshape(size) % 2 * 2 - 1


def make(expression):
    names = {"nn": nn, "torch": torch, "wave": wave, "places": places, "signs": signs}
    code, _, arguments = expression.partition(" => ")
    torch.manual_seed(7)
    module = eval(code, names)
    return module, eval(f"({arguments},)", names) if arguments else None


def flat(result):
    """The tensors of a result, in order; None stays None."""
    if result is None or isinstance(result, torch.Tensor):
        return [result]
    return [t for part in result for t in flat(part)]


def read(text):
    """(shape, values) of each tensor that C++ wrote."""
    for part in text.split("; "):
        if part == "None":
            yield None
        elif part:
            shape, _, numbers = part.partition("]")
            yield ([int(n) for n in shape.lstrip("[").split(",") if n.strip()], [float.fromhex(n) for n in numbers.split()])


@pytest.mark.parametrize("line", LINES, ids=[line[0].split(" => ")[0] for line in LINES])
def test_module_is_the_same(line):
    expression, text, state, result = line
    module, arguments = make(expression)
    assert repr(module) == text.replace("\\n", "\n")

    entries = [part.partition(" ") for part in state.split("; ") if part]
    expected = module.state_dict()
    assert [name for name, _, _ in entries] == list(expected)
    for name, _, value in entries:
        shape, numbers = next(read(value))
        assert shape == list(expected[name].shape), name
        assert numbers == expected[name].double().flatten().tolist(), name

    if arguments is None:
        return
    if result.startswith("not built"):
        pytest.skip(result)
    torch.manual_seed(11)
    try:
        wanted = flat(module(*arguments))
    except NotImplementedError as error:
        pytest.skip(str(error))
    assert not result.startswith("error"), result
    found = list(read(result))[: len(wanted)]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted):
        assert (one is None) == (other is None)
        if one is not None:
            assert one[0] == list(other.shape)
            assert one[1] == pytest.approx(other.double().detach().flatten().tolist(), rel=1e-5, abs=1e-6, nan_ok=True)


def test_the_lists_of_modules_are_equal():
    cpp = {line[0].split("(")[0].removeprefix("nn.") for line in LINES}
    python = {name for name in dir(nn) if isinstance(getattr(nn, name), type) and not name.startswith("_")}
    python = {name for name in python if name in getattr(nn.modules, "__all__", []) or name in EXCEPTIONS}
    missing = {name for name in python - cpp if not is_exception(name)}
    assert not missing, f"C++ lacks {sorted(missing)}"
    assert not cpp - python, f"Python lacks {sorted(cpp - python)}"
    needless = {name for name in EXCEPTIONS if name in cpp or not hasattr(nn, name)}
    assert not needless, f"these are no exceptions any more: {sorted(needless)}"
