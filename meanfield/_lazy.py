"""What a module offers, imported when it is first used.

The `__init__` of a room says it under `if TYPE_CHECKING:`, as imports, which readers, editors and type
checkers see; at run time these lines are read from the source, and a name is imported when it is asked
for. So a script or a command loads what it needs, and no more. After SPEC 1 of Scientific Python, whose
`lazy_loader` asks for a second file for each of these.
"""

import importlib
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

_ONE_AT_A_TIME = threading.RLock()
_OF_THE_FILE = {"TYPE_CHECKING", "offers", "Any", "importlib"}  # what an `__init__` has for itself


def offers(name: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of the module of this name, which says what it offers."""
    module = sys.modules[name]
    offered = cache(lambda: _offered(name))  # read anew where a module is reloaded

    def look(wanted: str) -> Any:
        if wanted == "__all__":
            return sorted(offered())
        if not wanted.startswith("__") and wanted in offered():
            with _turn():
                found = _imported(*offered()[wanted], module.__package__)
            setattr(module, wanted, found)
            return found
        if not wanted.startswith("_") and _holds(module, wanted):
            with _turn():
                return importlib.import_module(f"{name}.{wanted}")
        raise AttributeError(f"module {name!r} has no attribute {wanted!r}{_elsewhere(wanted)}")

    def names() -> list[str]:
        import pkgutil

        inside = {found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))}
        public = {one for one in inside if not one.startswith("_")}
        return sorted({*vars(module), *offered(), *public} - _OF_THE_FILE)

    return look, names


def _turn() -> AbstractContextManager[Any]:
    """One thread imports at a time: libraries whose modules import each other come half-made to two.

    Who asks while a module is imported goes on: a thread that holds a module and waits for its turn would
    keep waiting the one whose turn it is, if that needs the module.
    """
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_name == "_find_and_load_unlocked":
            return nullcontext()
        frame = frame.f_back
    return _ONE_AT_A_TIME


def _elsewhere(wanted: str) -> str:
    """Which rooms offer a name that was sought elsewhere."""
    rooms = (
        _offered(str(__package__)).values() if wanted.isidentifier() and wanted[0] != "_" else ()
    )
    modules = [
        importlib.import_module(f"{__package__}.{room}") for home, room in rooms if home == "."
    ]
    homes = [module.__name__ for module in modules if wanted in module.__all__]
    return f"; {' and '.join(homes)} {'has' if len(homes) == 1 else 'have'} it" if homes else ""


def _imported(home: str, name: str, package: str | None) -> Any:
    """What `from home import name` is."""
    if home == ".":
        return importlib.import_module(f".{name}", package)
    return getattr(importlib.import_module(home, package), name)


def _holds(package: Any, name: str) -> bool:
    """Whether a package has a module of this name."""
    from importlib.util import find_spec

    inside = hasattr(package, "__path__") and "." not in name
    return inside and find_spec(f"{package.__name__}.{name}") is not None


def _offered(name: str) -> dict[str, tuple[str, str]]:
    """Where each name comes from, and what it is called there."""
    import ast  # here, as a program hears of signals only once all this is imported

    module: Any = sys.modules[name]
    tree = ast.parse(module.__spec__.loader.get_source(name))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    lines = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (f"{'.' * line.level}{line.module or ''}", alias.name)
        for line in lines
        for alias in line.names
    }
