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
)


def sources(root: Path) -> list[Path]:
    """The files with formulas: those of the rooms of physics, without their faces."""
    files = [path for room in ROOMS for path in (root / "meanfield" / room).rglob("*.py")]
    return sorted(path for path in files if path.name != "__init__.py")


def nearest_tests(root: Path, source: Path, most: int) -> list[str]:
    """At most `most` test files: of the mirrored folder and of others that name what it defines.

    A file of the mirrored folder counts three names, one called as the source ten; the contract
    tests come in by what they name, as any other.
    """
    names = _defined(source)
    scored = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        folder = path.parent.name
        if folder in ("validation", "studies", "mutants", "viz", "io"):
            continue
        text = path.read_text()
        score = sum(bool(re.search(rf"\b{name}\b", text)) for name in names)
        score += 3 * (folder == source.parent.name or folder == source.parent.parent.name)
        score += 10 * (path.stem.removeprefix("test") == source.stem)
        scored.append((-score, len(text), str(path.relative_to(root))))
    chosen = [row for row in sorted(scored) if row[0] < 0]
    return [name for _, _, name in chosen[:most]]


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
