"""Names that programs import; workers that die are noticed by their sockets, without signal handlers."""

__all__ = []


def _set_worker_signal_handlers(*args):
    """Nothing to do."""


_set_worker_pids = _remove_worker_pids = _error_if_any_worker_fails = _set_worker_signal_handlers
_set_SIGCHLD_handler = _set_worker_signal_handlers  # noqa: N816
