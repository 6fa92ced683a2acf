"""The fast tests that are nearest to a source file, nearest first."""

import ast
import re
from pathlib import Path

ROOMS = (
    "geometry",
    "harmonics",
    "measures",
    "transport",
    "attention",
    "energies",
    "observables",
    "dynamics",
    "schemes",
    "solve",
    "landscape",
    "latents",
    "games",
    "surrogates",
)


def sources(root: Path) -> list[Path]:
    """The files with formulas: those of the rooms of physics, without their faces."""
    files = [path for room in ROOMS for path in (root / "meanfield" / room).rglob("*.py")]
    return sorted(path for path in files if path.name != "__init__.py")


def nearest_tests(root: Path, source: Path, most: int) -> list[str]:
    """At most `most` test files: of the mirrored folder and of others that name what it defines.

    A name that the file defines counts four, one of a file that imports it two, and one of a file that
    imports those one; the mirrored folder counts three, a test called as the source ten. The contract
    tests come in by what they name, as any other.
    """
    names = _reached(source)
    scored = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        folder = path.parent.name
        if folder in ("validation", "studies", "mutants", "viz", "io") or "refusals" in path.stem:
            continue
        words = set(re.findall(r"\w+", path.read_text()))
        score = sum(weight for name, weight in names.items() if name in words)
        score += 3 * (folder == source.parent.name or folder == source.parent.parent.name)
        score += 10 * (path.stem.removeprefix("test") == source.stem)
        scored.append((-score, path.stat().st_size, str(path.relative_to(root))))
    chosen = [row for row in sorted(scored) if row[0] < 0]
    return [name for _, _, name in chosen[:most]]


def _reached(source: Path) -> dict[str, int]:
    """The names that lead to a file, by weight: its own, those of its importers, and of theirs."""
    names: dict[str, int] = {}
    files = {source}
    for weight in (4, 2, 1):
        for name in {name for file in files for name in _defined(file)}:
            names.setdefault(name, weight)
        stems = {file.stem for file in files}
        siblings = [path for path in source.parent.rglob("_*.py") if path.name != "__init__.py"]
        files = {path for path in siblings if stems & _imports(path)} - files
    return names


def _imports(path: Path) -> set[str]:
    """The stems of the files of its room that a file imports from."""
    nodes = ast.walk(ast.parse(path.read_text()))
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]
    return {(node.module or "").rpartition(".")[2] for node in froms}


def _defined(source: Path) -> set[str]:
    """The names that a file defines and that users, or classes of the same file, may write."""
    tree = ast.parse(source.read_text())
    kinds = ast.FunctionDef | ast.ClassDef
    tops = {node.name for node in tree.body if isinstance(node, kinds)}
    methods = {
        part.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for part in node.body
        if isinstance(part, ast.FunctionDef)
    }
    return {name for name in tops | methods if not name.startswith("_") and len(name) > 4}
