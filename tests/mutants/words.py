"""Which tests speak of what a function speaks of: rare words that their sources share."""

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path


def words(text: str) -> set[str]:
    """Words of four letters and more, those within names too."""
    return set(re.findall(r"[a-z]{4,}", text.lower()))


class Words:
    """The words of each function of tests, and how many functions of tests have each word."""

    def __init__(self, root: Path, files: Iterable[str]):
        self.of: dict[str, set[str]] = {}
        for file in sorted(set(files)):
            path = root / file
            text = path.read_text() if path.exists() else ""
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                    source = ast.get_source_segment(text, node) or ""
                    self.of[f"{file}::{node.name}"] = words(source)
        self.spread = Counter(word for each in self.of.values() for word in each)

    def shared(self, subject: tuple[set[str], set[str]], test: str) -> float:
        """The weight of what a test shares with a subject, in units of one word that no other test
        has; names count four times."""
        own = self.of.get(test.partition("[")[0], set())
        most = math.log(1 + len(self.of))
        weights = {word: 1 - math.log(self.spread[word]) / most for word in own}
        return sum(
            times * sum(weights[word] ** 2 for word in own & some)
            for times, some in zip((1, 4), subject, strict=True)
        )


def about(path: str, text: str, line: int) -> tuple[set[str], set[str]]:
    """The words of the outermost function around a line, and of the names of its class and file."""
    kinds = ast.FunctionDef | ast.ClassDef
    around = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    functions = [node for node in around if isinstance(node, ast.FunctionDef)]
    first = min(functions, key=lambda node: node.lineno, default=None)
    source = first and ast.get_source_segment(text, first)
    classes = [node.name for node in around if isinstance(node, ast.ClassDef)]
    return words(source or text.splitlines()[line - 1]), words(
        " ".join([Path(path).stem, *classes])
    )
