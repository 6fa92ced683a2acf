import importlib
import inspect
from typing import Any

from ..._names import snake_case
from ._study import Study

_ROOM = __name__.rsplit(".", 2)[0]


def available() -> dict[str, type[Study]]:
    """The studies of the room by name: its public, concrete classes."""
    room = importlib.import_module(_ROOM)
    public = [getattr(room, name) for name in sorted(dir(room)) if not name.startswith("_")]
    return {thing.name(): thing for thing in public if _is_study(thing)}


def study_of(name: str) -> type[Study] | None:
    """The study of this name, as `available` has it, if there is one: the others are not imported."""
    room = importlib.import_module(_ROOM)
    found = [getattr(room, public) for public in dir(room) if snake_case(public) == name]
    return next((thing for thing in found if _is_study(thing)), None)


def _is_study(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Study) and not inspect.isabstract(thing)
