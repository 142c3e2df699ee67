"""Anomaly detection: backward checks every gradient for NaN, and an error shows the forward call behind it."""

import traceback
import warnings

from .. import _C

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class detect_anomaly:
    """A scope with anomaly detection: costly, meant for finding an error."""

    def __init__(self, check_nan=True):
        self.prev = _C.is_anomaly_enabled()
        self.check_nan = check_nan
        self.prev_check_nan = _C.is_anomaly_check_nan_enabled()
        warnings.warn("Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.",
                      stacklevel=2)

    def __enter__(self):
        _C._set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *exc):
        _C._set_anomaly_enabled(self.prev, self.prev_check_nan)


class set_detect_anomaly:
    """Switches anomaly detection at once; as a context manager puts it back."""

    def __init__(self, mode, check_nan=True):
        self.prev = _C.is_anomaly_enabled()
        self.prev_check_nan = _C.is_anomaly_check_nan_enabled()
        _C._set_anomaly_enabled(mode, check_nan)

    def __enter__(self):
        pass

    def __exit__(self, *exc):
        _C._set_anomaly_enabled(self.prev, self.prev_check_nan)


def _stack():
    return traceback.format_stack()[:-1]


def _report(name, metadata):
    """Warns with the forward stack of the step that failed, and with those of the steps that it was recorded by."""
    if not metadata or "traceback_" not in metadata:
        warnings.warn(f"Error detected in {name}. No forward pass information available. Enable detect anomaly during forward pass for "
                      "more information.", stacklevel=2)
        return
    warnings.warn(f"Error detected in {name}. Traceback of forward call that caused the error:\n" + "".join(metadata["traceback_"]),
                  stacklevel=2)
    parent = metadata.get("parent_")
    while parent is not None:
        metadata = parent.metadata
        if "traceback_" not in metadata:
            warnings.warn(f"\n\nPrevious calculation was induced by {parent.name()}. No forward pass information available.", stacklevel=2)
            return
        warnings.warn(f"\n\nPrevious calculation was induced by {parent.name()}. Traceback of forward call that induced the previous "
                      "calculation:\n" + "".join(metadata["traceback_"]), stacklevel=2)
        parent = metadata.get("parent_")
