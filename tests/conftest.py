"""Tests of parts that are not built yet are reported as skipped, by name."""

import importlib.util

import pytest

NEEDS_NN = {"test_parameter", "test_subclass_prints_its_own_name", "test_every_way_to_import_gives_the_same_modules", "test_modules"}


def pytest_collection_modifyitems(items):
    if importlib.util.find_spec("bolide.nn") and importlib.util.find_spec("bolide.nn").origin:
        return
    for item in items:
        if item.originalname in NEEDS_NN:
            item.add_marker(pytest.mark.skip(reason="bolide.nn is not built yet"))
