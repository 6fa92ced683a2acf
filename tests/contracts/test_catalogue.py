"""Every public name has a valid call in tests/catalogue, which works."""

import importlib
import inspect
import types

import catalogue
import pytest


def public(room: str) -> set[str]:
    """The names of a room that can be called: its functions and concrete classes, without the checks
    that rooms share, which are held by the tests of what they guard."""
    module = importlib.import_module(f"meanfield.{room}")
    return {
        f"{room}.{name}"
        for name, thing in inspect.getmembers(module)
        if not name.startswith(("_", "Abstract", "check_"))
        and not isinstance(thing, types.ModuleType | types.GenericAlias)
        and callable(thing)
        and not (
            inspect.isclass(thing) and (issubclass(thing, Exception) or inspect.isabstract(thing))
        )
    }


@pytest.mark.parametrize("room", catalogue.ROOMS)
def test_every_public_name_has_a_call(room):
    called = {entry.name for entry in catalogue.entries([room])}
    names = {name for name in public(room) if name not in called}
    missing = {name for name in names if catalogue.MADE_BY.get(name) not in _all_names()}
    assert not missing, f"add a line to tests/catalogue/ for each of {sorted(missing)}"


def _all_names() -> set[str]:
    return {entry.name for entry in catalogue.entries()}


def test_names_are_called_once_and_exist():
    names = [entry.name for entry in catalogue.entries()]
    assert len(set(names)) == len(names)
    gone = {name for name in catalogue.MADE_BY if name not in public(name.partition(".")[0])}
    assert not gone, f"drop {gone} from MADE_BY"
