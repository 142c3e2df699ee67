"""Parts of the loader."""

import sys
import traceback

MP_STATUS_CHECK_INTERVAL = 5.0
python_exit_status = False


class KeyErrorMessage(str):
    """A KeyError's message that prints as it is; a KeyError shows the repr of other strings, with newlines escaped."""

    def __repr__(self):
        return str(self)


class ExceptionWrapper:
    """An exception on its way from one process to another: its class and its traceback as text."""

    def __init__(self, exc_info=None, where="in background"):
        exc_info = sys.exc_info() if exc_info is None else exc_info
        self.exc_type = exc_info[0]
        self.exc_msg = "".join(traceback.format_exception(*exc_info))
        self.where = where

    def reraise(self):
        """Raises an exception of the same class; its message names the place and holds the original traceback."""
        msg = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        if self.exc_type is KeyError:
            msg = KeyErrorMessage(msg)
        elif getattr(self.exc_type, "message", None):
            raise self.exc_type(message=msg)
        try:
            exception = self.exc_type(msg)
        except Exception:
            # a class whose constructor wants other arguments
            raise RuntimeError(msg) from None
        raise exception


from . import collate, fetch, pin_memory, signal_handling, worker  # noqa: E402, F401
