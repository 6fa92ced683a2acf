"""Modules that are loaded when someone asks for what is in them, and not before."""

import contextlib
import sys
import threading
import warnings
from collections.abc import Collection, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class _Late(ModuleType):
    """A module that is loaded at the first look, by one thread: others wait, as they do at an import.

    With that of importlib, in Python 3.11, they see a module that is half loaded.
    """

    def __getattribute__(self, name: str) -> Any:
        ModuleType.__getattribute__(self, "__spec__").loader_state.load(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        ModuleType.__getattribute__(self, "__spec__").loader_state.load(self)
        ModuleType.__setattr__(self, name, value)


class _Waiting:
    """A loader that waits; nothing is deprecated while it works: whoever looks first did not choose it."""

    def __init__(self, loader: Any):
        self.loader = loader
        self.lock = threading.RLock()
        self.started = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self.loader
        spec.loader_state = self
        module.__class__ = _Late

    def load(self, module: ModuleType) -> None:
        with self.lock:
            if self.started:  # here and now, or before
                return
            self.started = True
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    self.loader.exec_module(module)
            except BaseException:
                self.started = False
                raise
            object.__setattr__(module, "__class__", ModuleType)


class _Deferring:
    """A finder of these modules, whose loader waits for the first look at one."""

    def __init__(self, names: Collection[str]):
        self.names = names

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in self.names else None
        if spec is not None and spec.loader is not None:
            loader: Any = _Waiting(spec.loader)
            spec.loader = loader
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
