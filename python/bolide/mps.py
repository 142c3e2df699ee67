"""Devices of this kind are not supported: there are none, and asking for one raises."""


def is_available():
    return False


def device_count():
    return 0


def is_initialized():
    return False


def manual_seed(seed):
    """Nothing to seed."""


manual_seed_all = manual_seed


def empty_cache():
    """Nothing is cached."""


def synchronize(device=None):
    """Nothing runs."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise NotImplementedError(f"bolide.mps.{name}: mps devices are not supported")

    return missing
