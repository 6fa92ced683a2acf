"""Packages that only some of what is here needs."""

import importlib
import warnings
from typing import Any


def module_of(extra: str, package: str, purpose: str, module: str) -> Any:
    """The module of a package that an extra brings, without its warnings of itself; ValueError without it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"expected the package {package} for {purpose}, got none; "
            f"pip install 'meanfield-jax[{extra}]'."
        ) from error
