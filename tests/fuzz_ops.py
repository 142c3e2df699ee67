"""Calls every op with random, mostly wrong arguments. Run as a script: fuzz_ops.py SECONDS SEED LOG

Any exception is fine but for SystemError; a crash, a hang or an abort is not. Each call is written to LOG
before it is made, so that
the parent (test_fuzz.py) can name the call that killed the process. Memory is limited, so that huge sizes
meet a failing allocation.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import warnings
from typing import Any

import bolide as torch

MEMORY = 6 << 30
DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
    torch.complex64,
    torch.complex128,
]
SHAPES = [
    (),
    (1,),
    (3,),
    (2, 3),
    (3, 2),
    (0,),
    (0, 3),
    (2, 0, 3),
    (1, 1),
    (2, 3, 4),
    (1, 2, 3, 4),
    (2, 1, 3, 1, 2),
    (17, 5),
    (300,),
    (1, 1, 1, 1, 1, 1),
    (4, 3, 8, 8),
    (4, 4),
]
INTS = [-(2**63), -(2**31), -100, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 100, 2**31, 2**62, 2**63 - 1]
SMALL = [-3, -2, -1, 0, 1, 2, 3, 4]
FLOATS = [0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, 1e30, float("inf"), float("-inf"), float("nan")]
WORDS = ["", "mean", "none", "sum", "floor", "trunc", "tanh", "linear", "ij", "\N{SNOWMAN}", "x" * 300]


class Fuzzer:
    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)

    def tensor(self) -> Any:
        r = self.pick
        dtype, shape = r.choice(DTYPES), r.choice(SHAPES)
        kind = r.random()
        if kind < 0.08:
            return torch.empty(r.choice([shape, (2**20, 2**20), (3, 2**33)]), dtype=dtype, device="meta")
        if kind < 0.12:
            return torch.ones((), dtype=dtype).expand(r.choice([(3, 2**12), (5,)]))
        t = (
            torch.tensor(
                [
                    r.choice(FLOATS + [2, 3, 5]) if dtype.is_floating_point else r.choice(SMALL + [100])
                    for _ in range(_count(shape))
                ]
            )
            .to(dtype)
            .reshape(shape)
        )
        if kind < 0.3 and t.dim() > 1:
            t = t.transpose(0, -1)
        if kind > 0.9 and t.numel() > 1:
            t = t.expand((2, *shape))
        if kind > 0.7 and (dtype.is_floating_point or dtype.is_complex):
            t = t.detach().requires_grad_()
        return t

    def index(self) -> Any:
        r = self.pick
        return torch.tensor([r.choice(SMALL + [7, 2**40, -(2**62)]) for _ in range(4)]).reshape(
            r.choice([(4,), (2, 2), (4, 1)])
        )

    def ints(self) -> Any:
        r = self.pick
        return [r.choice(SMALL if r.random() < 0.8 else INTS) for _ in range(r.randrange(5))]

    def value(self, kind: str) -> Any:
        r = self.pick
        if kind.endswith("?") and r.random() < 0.3:
            return None
        base = kind.rstrip("?").split("[")[0]
        if r.random() < 0.04:
            base = r.choice(["Tensor", "int", "float", "str", "bool"])
        if "[" in kind:
            if base == "Tensor":
                return [self.value("Tensor") for _ in range(r.randrange(4))]
            return (
                r.choice(SMALL)
                if base == "int" and r.random() < 0.2
                else [self.value(base) for _ in range(r.randrange(5))]
            )
        if base in ("Tensor", "Operand"):
            if base == "Operand" and r.random() < 0.4:
                return self.value("Scalar")
            return self.index() if r.random() < 0.15 else self.tensor()
        if base == "int":
            return r.choice(SMALL if r.random() < 0.75 else INTS)
        if base == "float":
            return r.choice(FLOATS)
        if base == "Scalar":
            return r.choice([r.choice(SMALL), r.choice(FLOATS), True, 1 + 2j, 2**62])
        if base == "bool":
            return r.random() < 0.5
        if base == "str":
            return r.choice(WORDS)
        if base == "ScalarType":
            return r.choice(DTYPES)
        if base == "Device":
            return r.choice(["cpu", "meta", "cpu:0", "nowhere"])
        if base == "MemoryFormat":
            return r.choice([torch.contiguous_format, torch.channels_last, torch.preserve_format])
        return None

    def call(self, schema: str) -> tuple[str, list[Any], dict[str, Any]]:
        name, _, rest = schema.partition("(")
        args, kwargs, keyword_only = [], {}, False
        for one in split(rest.rpartition(" -> ")[0].rstrip(")")):
            if one == "*":
                keyword_only = True
                continue
            kind, _, rest = one.partition(" ")
            arg = rest.split("=")[0]
            optional = "=" in rest
            if optional and self.pick.random() < 0.5:
                continue
            if keyword_only or len(kwargs):
                kwargs[arg] = self.value(kind)
            elif optional and self.pick.random() < 0.5:
                kwargs[arg] = self.value(kind)
            else:
                args.append(self.value(kind))
        if self.pick.random() < 0.05:
            kwargs["out"] = self.tensor()
        return name.split(".")[0], args, kwargs


def _count(shape: tuple[int, ...]) -> int:
    n = 1
    for s in shape:
        n *= s
    return n


def split(text: str) -> list[str]:
    """The arguments of a schema: cut at commas outside brackets and quotes."""
    parts, depth, quoted, now = [], 0, False, ""
    for c in text:
        quoted ^= c == "'"
        depth += (c in "[(") - (c in "])")
        if c == "," and not depth and not quoted:
            parts.append(now.strip())
            now = ""
        else:
            now += c
    return [*parts, now.strip()] if now.strip() else parts


def show(v: Any) -> str:
    if isinstance(v, torch.Tensor):
        extra = " meta" if v.device.type == "meta" else ""
        return f"<{str(v.dtype)[6:]} {list(v.shape)} strides {list(v.stride())}{extra}>"
    if isinstance(v, list):
        return "[" + ", ".join(map(show, v)) + "]"
    return repr(v)


def backward_of(result: Any) -> None:
    for r in result if isinstance(result, (tuple, list)) else (result,):
        if isinstance(r, torch.Tensor) and r.requires_grad and r.numel() < 10**6 and r.device.type == "cpu":
            r.sum().abs().backward()
            return


def main(seconds: float, seed: int, log: str) -> None:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fuzzer = Fuzzer(seed)
    schemas = torch._C._list_ops()
    end = time.monotonic() + seconds
    calls = raised = 0
    with open(log, "w") as out:
        while time.monotonic() < end:
            schema = fuzzer.pick.choice(schemas)
            name, args, kwargs = fuzzer.call(schema)
            in_place = getattr(torch._C._ops, name + "_", None)
            function = in_place if in_place and fuzzer.pick.random() < 0.3 else getattr(torch._C._ops, name)
            out.seek(0)
            out.write(
                f"{name}({', '.join([*map(show, args), *(f'{k}={show(v)}' for k, v in kwargs.items())])})\n"
            )
            out.truncate()
            out.flush()
            calls += 1
            try:
                backward_of(function(*args, **kwargs))
            except SystemError:
                raise
            except Exception:  # noqa: BLE001
                raised += 1
    print(f"{calls} calls, {raised} raised")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
