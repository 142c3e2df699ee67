"""`cmake --install` gives a package that find_package(bolide) finds, outside this checkout."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

import bolide

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BOLIDE_BUILD_DIR", ROOT / "build"))

COMPILER = shutil.which("g++") or shutil.which("c++")

pytestmark = pytest.mark.skipif(
    not (BUILD / "CMakeCache.txt").exists() or shutil.which("cmake") is None,
    reason="needs a build folder (make build) and cmake",
)


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def consumer(tmp_path_factory):
    """The consumer project, copied away from the checkout and built against an installed Bolide."""
    folder = tmp_path_factory.mktemp("install")
    prefix, source = folder / "prefix", folder / "consumer"
    run("cmake", "--install", BUILD, "--prefix", prefix)
    shutil.copytree(ROOT / "tests" / "consumer", source)
    run(
        "cmake",
        "-S",
        source,
        "-B",
        folder / "build",
        "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_PREFIX_PATH={prefix}",
    )
    run("cmake", "--build", folder / "build")
    return folder


def test_consumer_runs(consumer):
    """Its file is read by Python, under the same names."""
    out = run(consumer / "build" / "consumer", consumer / "net.pth")
    assert out == (
        "y = 6, gradient = tensor([[2., 2., 2.],\n        [2., 2., 2.]])\n"
        "caught\ntrained\nthe same\n"
        "Net(\n  (hidden): Linear(in_features=2, out_features=16, bias=True)\n"
        "  (out): Linear(in_features=16, out_features=1, bias=True)\n)\n"
    )
    state = bolide.load(consumer / "net.pth")
    assert list(state) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert state["hidden.weight"].shape == (16, 2)


def compile_seconds(source, include, folder):
    """Processor time of compiling a file, the least of three."""
    file = folder / "timed.cpp"
    file.write_text(source)
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run(COMPILER, "-std=c++20", "-c", file, "-o", folder / "timed.o", f"-I{include}")
        best = min(best, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return best


@pytest.mark.skipif(COMPILER is None, reason="needs a compiler")
def test_headers_stay_light(consumer, tmp_path):
    """A hello that includes everything costs a few times what <iostream> alone costs, whatever the machine."""
    plain = "#include <iostream>\nint main() { std::cout << 1; }\n"
    whole = "#include <bolide/bolide.h>\n#include <iostream>\nint main() { std::cout << bolide::ones({2}).sum(); }\n"
    include = consumer / "prefix" / "include"
    assert compile_seconds(whole, include, tmp_path) < 8 * compile_seconds(plain, include, tmp_path)


def test_installed_headers_name_nothing_of_the_checkout(consumer):
    for file in (consumer / "prefix").rglob("*"):
        if file.suffix in (".h", ".cmake"):
            assert str(ROOT) not in file.read_text(), file
