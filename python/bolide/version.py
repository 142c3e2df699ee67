"""Versions: of the PyTorch whose behaviour this follows, and of what it was built with."""

from . import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "rocm", "xpu"]

debug = False
cuda = None  # no CUDA toolkit is built in: libraries are opened at run time
git_version = "unknown"
hip = None
rocm = None
xpu = None
