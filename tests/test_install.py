"""`cmake --install` gives a package that find_package(bolide) finds, outside this checkout."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BOLIDE_BUILD_DIR", ROOT / "build"))

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
    assert run(consumer / "build" / "consumer") == "y = 6, gradient = 12\ncaught\n"


def test_installed_headers_name_nothing_of_the_checkout(consumer):
    for file in (consumer / "prefix").rglob("*"):
        if file.suffix in (".h", ".cmake"):
            assert str(ROOT) not in file.read_text(), file
