"""Options of saving and loading: ``config.save`` and ``config.load``."""

from . import config

__all__ = ["config"]
