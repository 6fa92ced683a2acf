"""The digest of the code that a class depends on.

Code is the sources of the module that defines the class, and of the modules of ours that these
import, at once or later, and so on: ours are those of this package, and those beside the class's own
module. Where a name is imported from a package that hands it on (`from .._room import Thing`, and the
room's `__init__` says `from ._thing import Thing`) only the module that it comes from counts; where a
package is imported as a whole, all of it does. Sources are compared as syntax trees without
docstrings: comments, strings that document, and layout do not matter. What others wrote counts by
its version (see `software`).
"""

import ast
import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import NamedTuple

_PACKAGE = __name__.partition(".")[0]

_Name = tuple[str, str | None]  # a module, and what is imported from it; None for all of it


class _Source(NamedTuple):
    digest: str
    imports: list[_Name]
    exports: dict[str, _Name]


class _Home(NamedTuple):
    """A folder from which modules of ours are imported: all of them, or those under one name."""

    folder: Path
    top: str | None

    def path(self, module: str) -> Path | None:
        """The file of a module; None if it is not here."""
        first = module.partition(".")[0]
        if self.top not in (None, first):
            return None
        stem = self.folder.joinpath(*module.split("."))
        found = [
            p for p in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")) if p.is_file()
        ]
        return found[0] if found else None


_READ: dict[Path, tuple[object, int | None, _Source]] = {}


def code_digest(kind: type) -> str:
    """16 hexadecimal digits that change with the code on which `kind` depends.

    A source is read once, when it is first asked for, and again after its module is reloaded. A class
    of a notebook counts with its own source and all of this package; one that was typed where no
    source is kept (`python -c`), with its bytecode.
    """
    homes = [_Home(Path(__file__).parents[2], _PACKAGE)]
    own = _own_home(kind)
    if own is None:
        found = _reach([(_PACKAGE, None)], homes)
        found[kind.__qualname__] = _typed(kind)
    else:
        home, start = own
        found = _reach([(start, "*")], [*homes, home])
    text = "\n".join(f"{name} {found[name]}" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _own_home(kind: type) -> tuple[_Home, str] | None:
    """Where the module of `kind` is imported from, and its name; None if it has no file."""
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None or not Path(file).is_file():
        return None
    path = Path(file).resolve()
    if module.__name__ == "__main__" and not getattr(module, "__spec__", None):
        return _beside(path, path.stem)
    name = module.__spec__.name if module.__spec__ else module.__name__
    depth = name.count(".") + (path.name == "__init__.py")
    folder = path.parents[depth]
    if depth:
        return _Home(folder, name.partition(".")[0]), name
    return _beside(path, name)


def _beside(path: Path, name: str) -> tuple[_Home, str]:
    """A script, and the modules in its folder, unless others have installed theirs there."""
    others = {Path(p).resolve() for p in sysconfig.get_paths().values()}
    return _Home(path.parent, name if path.parent in others else None), name


def _reach(start: list[_Name], homes: list[_Home]) -> dict[str, str]:
    """The digests of the modules that can be reached, by name."""
    todo, seen, found = [*start], set(), {}

    @functools.cache
    def path_of(module: str) -> Path | None:
        return next((p for home in homes if (p := home.path(module))), None)

    while todo:
        module, name = step = todo.pop()
        if step in seen:
            continue
        seen.add(step)
        path = path_of(module)
        if path is None:
            continue
        source = _read(path, module)
        if path.name == "__init__.py":
            inner = f"{module}.{name}"
            if name in source.exports:
                todo.append(source.exports[name])
                continue
            if name and path_of(inner):
                todo.append((inner, None))
                continue
            if name is None or name == "*":
                todo += [(inner, None) for inner in _inside(path, module)]
        found[module] = source.digest
        todo += source.imports
    return found


def _inside(init: Path, package: str) -> list[str]:
    """The modules of a package."""
    files = [p for p in init.parent.iterdir() if p.suffix == ".py" and p != init]
    rooms = [p for p in init.parent.iterdir() if (p / "__init__.py").is_file()]
    return [f"{package}.{path.stem}" for path in sorted([*files, *rooms])]


def _read(path: Path, module: str) -> _Source:
    loaded = getattr(sys.modules.get(module), "__spec__", None)  # a new one once it is reloaded
    written = None if loaded else path.stat().st_mtime_ns  # it will be loaded as it then is
    known = _READ.get(path)
    if known is None or known[0] is not loaded or known[1] != written:
        known = _READ[path] = loaded, written, _parse(path, module)
    return known[2]


def _parse(path: Path, module: str) -> _Source:
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imports: list[_Name] = []
    exports: dict[str, _Name] = {}
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            imports += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            imports += [(base, alias.name) for alias in node.names]
            exports |= {a.asname or a.name: (base, a.name) for a in node.names if a.name != "*"}
        else:
            _undocument(node)
    return _Source(_digest(tree), imports, exports)


def _digest(tree: ast.AST) -> str:
    """Of the nodes in order, with the lengths of lists: what `ast.dump` says, in half of the time."""
    told, todo = [], [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.AST):
            told.append(type(node).__name__)
            todo += [getattr(node, field, None) for field in node._fields]
        elif isinstance(node, list):
            told.append(str(len(node)))
            todo += node
        else:
            told.append(repr(node))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The tree and all its statements, outer ones first: a tenth of its nodes."""
    todo: list[ast.AST] = [tree]
    for node in todo:  # which grows meanwhile
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            part = getattr(node, name, None)
            todo += part if isinstance(part, list) else []


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that `from ... import` names."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    parents = parents[: len(parents) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _undocument(node: ast.AST) -> None:
    """Removes strings that stand alone: docstrings, and those below a field."""
    body = getattr(node, "body", None)
    if isinstance(body, list):
        node.body = [line for line in body if not _is_string(line)]  # pyright: ignore[reportAttributeAccessIssue]


def _is_string(line: ast.AST) -> bool:
    constant = line.value if isinstance(line, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def _typed(kind: type) -> str:
    """The digest of a class without a file."""
    try:
        text = ast.dump(ast.parse(inspect.cleandoc(inspect.getsource(kind))))
    except (OSError, TypeError, SyntaxError):
        text = "".join(_bytecode(getattr(thing, "__code__", None)) for thing in vars(kind).values())
    return hashlib.sha256(text.encode()).hexdigest()


def _bytecode(code: CodeType | None) -> str:
    if code is None:
        return ""
    inner = [_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return repr((code.co_code, code.co_names, inner))
