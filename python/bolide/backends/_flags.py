"""The modules of bolide.backends: a few switches and questions each, kept in one table.

Switches that choose between algorithms of cuDNN and its kin are remembered so that programs that set them run; Bolide
chooses its own algorithms.
"""

import contextlib
import sys
import types

from .. import _C


class _Flags(types.ModuleType):
    """A module whose switches go by the names in ``switches``."""

    def __init__(self, name, switches=(), **members):
        super().__init__(f"bolide.backends.{name}")
        self.__dict__.update(dict(switches), **members)
        names = [key for key, _ in switches]

        @contextlib.contextmanager
        def flags(**settings):
            before = {key: self.__dict__[key] for key in names}
            self.__dict__.update(settings)
            try:
                yield
            finally:
                self.__dict__.update(before)

        def set_flags(*values, **settings):
            old = tuple(self.__dict__[key] for key in names)
            self.__dict__.update({key: value for key, value in zip(names, values, strict=False) if value is not None})
            self.__dict__.update({key.lstrip("_"): value for key, value in settings.items() if value is not None})
            return old

        self.flags, self.set_flags = flags, set_flags


def _no():
    return False


def _none():
    return None


def _cuda():
    from .. import cuda

    return cuda


def _cpu_capability():
    return _C._cpu_capability() if hasattr(_C, "_cpu_capability") else "DEFAULT"


def _sdp(name):
    def get():
        return module("cuda").__dict__["_" + name]

    def enable(enabled):
        module("cuda").__dict__["_" + name] = bool(enabled)

    return get, enable


@contextlib.contextmanager
def _sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    yield


def _cuda_members():
    matmul = types.SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=True,
                                   allow_bf16_reduced_precision_reduction=True, allow_fp16_accumulation=False, fp32_precision="none")
    plans = types.SimpleNamespace(size=0, max_size=4096, clear=_none)
    members = {"matmul": matmul, "cufft_plan_cache": plans, "is_built": lambda: True, "is_flash_attention_available": _no,
               "sdp_kernel": _sdp_kernel, "preferred_linalg_library": lambda backend=None: "default",
               "preferred_blas_library": lambda backend=None: "default", "can_use_flash_attention": lambda p, debug=False: False,
               "can_use_efficient_attention": lambda p, debug=False: False}
    for kind in ("flash", "math", "mem_efficient", "cudnn"):
        get, enable = _sdp(kind)
        members.update({f"_{kind}": True, f"{kind}_sdp_enabled": get, f"enable_{kind}_sdp": enable})
    return members


_TABLE = {
    "cudnn": lambda: _Flags("cudnn", [("enabled", True), ("benchmark", False), ("benchmark_limit", 10), ("deterministic", False),
                                      ("allow_tf32", True), ("fp32_precision", "none")],
                            is_available=lambda: _cuda().is_available(), version=_none, is_acceptable=lambda tensor: tensor.is_cuda,
                            rnn=types.SimpleNamespace(fp32_precision="none"), conv=types.SimpleNamespace(fp32_precision="none")),
    "cuda": lambda: _Flags("cuda", **_cuda_members()),
    "mkl": lambda: _Flags("mkl", is_available=_no, VERBOSE_OFF=0, VERBOSE_ON=1, verbose=lambda enable: contextlib.nullcontext()),
    "mkldnn": lambda: _Flags("mkldnn", [("enabled", True), ("deterministic", False), ("allow_tf32", True), ("fp32_precision", "none")],
                             is_available=lambda: bool(getattr(_C, "_has_dnnl", _no)()), VERBOSE_OFF=0, VERBOSE_ON=1, VERBOSE_ON_CREATION=2,
                             verbose=lambda level: contextlib.nullcontext(), is_acl_available=_no),
    "mps": lambda: _Flags("mps", is_available=_no, is_built=_no, is_macos_or_newer=lambda major, minor: False, is_macos13_or_newer=lambda minor=0: False),
    "openmp": lambda: _Flags("openmp", is_available=_no),
    "cpu": lambda: _Flags("cpu", get_cpu_capability=_cpu_capability),
    "opt_einsum": lambda: _Flags("opt_einsum", [("enabled", True), ("strategy", "auto")], is_available=_no, get_opt_einsum=_none),
    "xnnpack": lambda: _Flags("xnnpack", enabled=False),
    "nnpack": lambda: _Flags("nnpack", [("enabled", False)], is_available=_no),
    "quantized": lambda: _Flags("quantized", engine="none", supported_engines=["none"]),
    "mha": lambda: _Flags("mha", get_fastpath_enabled=_no, set_fastpath_enabled=lambda value: None),
    "cusparselt": lambda: _Flags("cusparselt", is_available=_no, version=_none),
    "miopen": lambda: _Flags("miopen", [("immediate", False)]),
    "kleidiai": lambda: _Flags("kleidiai", is_available=_no),
    "cutlass": lambda: _Flags("cutlass"), "xeon": lambda: _Flags("xeon"),
}


def module(name):
    """The module ``bolide.backends.<name>``, made when first asked for."""
    full = f"bolide.backends.{name}"
    if full not in sys.modules:
        sys.modules[full] = _TABLE[name]()
    return sys.modules[full]
