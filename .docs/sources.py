"""The pages that are made from what the repository has: documents, notebooks, public names."""

import importlib
import inspect
import pkgutil
import re
import shutil
from pathlib import Path

import meanfield

HERE = Path(__file__).parent
ROOT = HERE.parent
DOCUMENTS = (
    "README.md",
    "TOUR.md",
    "DESIGN.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
)
WRITTEN = ("files.md", "accelerators.md", "glossary.md")
"""Pages of this folder."""


def copy_documents(source: Path) -> None:
    """The repository's documents and their pictures, where their links expect them."""
    figures = [f"paper_figs/{path.name}" for path in (ROOT / "paper_figs").glob("fig_*.py")]
    for name in (*DOCUMENTS, *(f"paper_figs/gallery/{p.name}" for p in _pictures()), *figures):
        _copy(ROOT / name, source / name)
    for name in WRITTEN:
        _copy(HERE / name, source / name)


def copy_lessons(folder: Path) -> None:
    """The notebooks, which Sphinx runs, and keeps what came out until they change."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        _copy(path, folder / path.name)
    write(
        folder / "index.md",
        "# Lessons\n\nNotebooks, run when this site was built; they stand in `notebooks/`.\n\n"
        + toctree([path.stem for path in notebooks]),
    )


def write_reference(folder: Path, rooms: list[str] | None = None) -> None:
    """A page for each room, with all of its public names."""
    chosen = rooms or [*public_rooms()]
    for room in chosen:
        write(folder / f"{room}.md", _room(room))
    table = ["| room | what it holds |", "|---|---|"]
    for room in chosen:
        table.append(f"| [`meanfield.{room}`]({room}.md) | {_sentence(_module(room))} |")
    write(
        folder / "index.md",
        "# Reference\n\n" + "\n".join(table) + "\n\n" + toctree(chosen, hidden=True),
    )


def write_index(source: Path, parts: list[str]) -> None:
    """The contents; the first page is the README."""
    pages = [*parts, "files", "accelerators", "glossary"]
    project = ["TOUR", "DESIGN", "CONTRIBUTING", "benchmarks/README", "CHANGELOG"]
    readme = (ROOT / "README.md").read_text()
    write(
        source / "index.md",
        f"{readme}\n{toctree(pages, hidden=True)}\n{toctree(project, hidden=True, caption='Project')}",
    )
    (source / "README.md").unlink(missing_ok=True)
    for page in source.rglob("*.md"):  # what other documents call the README is the first page here
        text = page.read_text()
        text = re.sub(r"\]\((?:\.\./)*README\.md", f"]({_up(page, source)}index.md", text)
        if "gallery/index" in parts:  # where a figure has a page, which has its code
            text = re.sub(r"\]\(paper_figs/(fig_\w+)\.py\)", r"](gallery/\1.md)", text)
        page.write_text(text)


def public_rooms() -> list[str]:
    """The rooms of the package, and the faces that a program may use."""
    found = [m.name for m in pkgutil.iter_modules(meanfield.__path__) if not m.name.startswith("_")]
    return [name for name in found if name != "commands"]


def public_names(room: str) -> list[str]:
    """What a room offers, in alphabetical order, what one extends last."""
    module = _module(room)
    names = [name for name in dir(module) if not name.startswith("_")]
    known = [name for name in names if _is_documented(getattr(module, name))]
    return sorted(known, key=lambda name: (name.startswith("Abstract"), name.lower()))


def _is_documented(thing: object) -> bool:
    ours = getattr(thing, "__module__", "").startswith("meanfield")
    return ours and (inspect.isclass(thing) or callable(thing))


def _room(room: str) -> str:
    module = _module(room)
    blocks = [f"# {room}\n", "```{eval-rst}", f".. automodule:: meanfield.{room}", "```\n"]
    names = public_names(room)
    blocks += ["| | |", "|---|---|"]
    blocks += [
        f"| [{name}](#{name.lower()}) | {_sentence(getattr(module, name))} |" for name in names
    ]
    blocks.append("")
    for name in names:
        kind = "autoclass" if inspect.isclass(getattr(module, name)) else "autofunction"
        lines = ["```{eval-rst}", f".. {kind}:: meanfield.{room}.{name}"]
        if kind == "autoclass":
            lines += ["   :members:"]
        blocks += [f"## {name}\n", *lines, "```\n"]
    return "\n".join(blocks)


def _sentence(thing: object) -> str:
    """The first sentence of a docstring, in one line."""
    return plain((inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " "))


def _module(room: str):
    return importlib.import_module(f"meanfield.{room}")


def plain(sentence: str) -> str:
    return re.sub(r"([<>|*_])", r"\\\1", sentence)


def toctree(names: list[str], hidden: bool = False, caption: str = "") -> str:
    options = [":hidden:"] * hidden + [f":caption: {caption}"] * bool(caption)
    return "\n".join(["```{toctree}", ":maxdepth: 1", *options, "", *names, "```\n"])


def _pictures() -> list[Path]:
    return sorted((ROOT / "paper_figs" / "gallery").glob("*.png"))


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if not to.exists() or to.read_bytes() != path.read_bytes():
        shutil.copyfile(path, to)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _up(page: Path, source: Path) -> str:
    return "../" * (len(page.relative_to(source).parts) - 1)
