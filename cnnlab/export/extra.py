"""Packages that only export needs."""

import importlib
from typing import Any


def extra(module: str) -> Any:
    """The module, imported; or an ImportError that says how to get it.

    Examples
    --------
    >>> extra("onnxes")
    Traceback (most recent call last):
        ...
    ImportError: export needs the package onnxes: install it with pip install 'cnnlab[export]'.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"export needs the package {error.name}: install it with pip install 'cnnlab[export]'."
        ) from error
