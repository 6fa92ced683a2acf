"""What a module offers, imported when it is first used.

The `__init__` of a room says it under `if TYPE_CHECKING:`, as imports, which readers, editors and type
checkers see; at run time these lines are read from the source, and a name is imported when it is asked
for. So a script or a command loads what it needs, and no more. After SPEC 1 of Scientific Python, whose
`lazy_loader` asks for a second file for each of these.
"""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable
from functools import cache
from typing import Any


def offers(name: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of the module of this name, which says what it offers."""
    module = sys.modules[name]

    def look(wanted: str) -> Any:
        if wanted == "__all__":
            return sorted(_offered(name))
        if not wanted.startswith("__") and wanted in _offered(name):
            found = _imported(*_offered(name)[wanted], module.__package__)
            setattr(module, wanted, found)
            return found
        if not wanted.startswith("_") and _holds(module, wanted):
            return importlib.import_module(f"{name}.{wanted}")
        raise AttributeError(f"module {name!r} has no attribute {wanted!r}")

    def names() -> list[str]:
        inside = {found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))}
        public = {one for one in inside if not one.startswith("_")}
        return sorted({*vars(module), *_offered(name), *public} - {"TYPE_CHECKING", "offers"})

    return look, names


def _imported(home: str, name: str, package: str | None) -> Any:
    """What `from home import name` is."""
    if home == ".":
        return importlib.import_module(f".{name}", package)
    return getattr(importlib.import_module(home, package), name)


def _holds(package: Any, name: str) -> bool:
    """Whether a package has a module of this name."""
    inside = hasattr(package, "__path__")
    return inside and importlib.util.find_spec(f"{package.__name__}.{name}") is not None


@cache
def _offered(name: str) -> dict[str, tuple[str, str]]:
    """Where each name comes from, and what it is called there."""
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    lines = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (f"{'.' * line.level}{line.module or ''}", alias.name)
        for line in lines
        for alias in line.names
    }
