"""What examples in docstrings and tests have in common."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _close_figures():
    """Pictures that nobody will look at any more are closed."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
