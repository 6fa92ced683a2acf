"""Modules that are loaded when someone asks for what is in them, and not before."""

import contextlib
import sys
import warnings
from collections.abc import Collection, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any


class _Quiet:
    """A loader during whose work nothing is deprecated: whoever looks at a module first did not choose it."""

    def __init__(self, loader: Any):
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def exec_module(self, module: ModuleType) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.loader.exec_module(module)


class _Deferring:
    """A finder of these modules, whose loader waits for the first look at one."""

    def __init__(self, names: Collection[str]):
        self.names = names

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in self.names else None
        if spec is not None and spec.loader is not None:
            loader: Any = _Quiet(spec.loader)
            spec.loader = LazyLoader(loader)
        return spec


@contextlib.contextmanager
def deferred(*names: str) -> Iterator[None]:
    """A context in which modules of these names that are imported are loaded when first used."""
    finder = _Deferring(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
