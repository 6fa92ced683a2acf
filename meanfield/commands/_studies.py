"""The study that a name or a file stands for."""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import studies
from ..studies.machinery import Study, study_of
from ._finding import UsageError, announced, choose, load_announced, load_file


def study_named(name: str) -> type[Study]:
    """The study of this name, of this package or of another; or that of a file, my_study.py."""
    if name.endswith(".py"):
        return _study_of(load_file(Path(name)))
    asked = name.replace("-", "_")
    if known := study_of(asked):
        return known
    known, others = studies.available(), announced("meanfield.studies")
    chosen = choose(asked, [*known, *others], "study", "meanfield list")
    return known[chosen] if chosen in known else _checked(load_announced(others[chosen]), chosen)


def _study_of(module: ModuleType) -> type[Study]:
    """The one study that a module defines."""
    own = [thing for thing in vars(module).values() if inspect.isclass(thing)]
    own = [thing for thing in own if thing.__module__ == module.__name__]
    found = [t for t in own if issubclass(t, Study) and not inspect.isabstract(t)]
    if len(found) != 1:
        raise UsageError(
            f"expected one study in {module.__file__}, got {len(found)}; define one frozen dataclass "
            "that extends meanfield.studies.Study"
        )
    return found[0]


def _checked(thing: Any, name: str) -> type[Study]:
    if not (inspect.isclass(thing) and issubclass(thing, Study)):
        raise UsageError(
            f"expected {name} to be a study, got {type(thing).__name__}; let its entry point name a "
            "class that extends meanfield.studies.Study"
        )
    return thing
