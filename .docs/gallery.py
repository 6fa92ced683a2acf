"""The gallery: every figure with its picture, command, claims and code."""

import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from sources import ROOT, plain, toctree, write

from meanfield.program import first_line, prepare
from meanfield.studies import Study
from paper_figs.__main__ import all_figures

KEPT = {
    "fig_2110_11773_heat_limit": "heat_limit",
    "fig_consensus": "consensus",
    "fig_four_ways": "four_ways",
}
"""Figures that say little in reduced form: their pictures of full size are kept in the repository."""
AT_ONCE = 8
"""Figures drawn by one process: each shape that it compiles takes memory."""


def write_gallery(folder: Path, results: Path, figures: Path) -> None:
    """A page for each figure. Those that are not yet under `results` are drawn into `figures`."""
    prepare()  # in the precision of figures, for results are known by theirs
    modules = all_figures()
    drawn = {name: _picture(name, module, results, figures) for name, module in modules.items()}
    missing = {
        name: place
        for name, place in drawn.items()
        if not place[0].exists()
        or (
            figures in place[0].parents and not _drawn_now(modules[name], place[1], place[0].parent)
        )
    }
    _draw(missing)
    cards = [
        "# Gallery",
        "",
        "Every figure by one command; a click leads to its claims and code.",
        "",
    ]
    cards.append("::::{container} gallery")
    for name, module in modules.items():
        picture, size = drawn[name]
        to = folder / f"{name}.png"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_kept(name) if size == "--tiny" and _kept(name).exists() else picture, to)
        write(folder / f"{name}.md", _page(name, module, size, picture.parent))
        cards.append(f":::{{figure}} {name}.png\n:target: {name}.html\n:alt: {name}\n")
        cards.append(f"{first_line(module)}\n:::\n")
    write(folder / "index.md", "\n".join([*cards, "::::", "", toctree([*modules], hidden=True)]))


def _drawn_now(module: ModuleType, size: str, folder: Path) -> bool:
    """Whether results of the code as it is stand in a folder: what other code drew is drawn again."""
    stores = [study.store(root=folder) for study in _studies(module, size)]
    return all(store.load_claims() is not None for store in stores)


def _studies(module: ModuleType, size: str) -> list[Study]:
    """What was run for a picture of a size."""
    studies = module.DEMO if size == "--demo" else module.STUDIES
    return [study.tiny() if size == "--tiny" else study for study in studies.values()]


def _picture(name: str, module: ModuleType, results: Path, figures: Path) -> tuple[Path, str]:
    """Where a figure stands or is to be drawn, and with which option."""
    if (results / f"{name}.png").exists():
        return results / f"{name}.png", "--demo" if hasattr(module, "DEMO") else ""
    size = "--demo" if hasattr(module, "DEMO") else "--tiny"
    return figures / size.removeprefix("--") / f"{name}.png", size


def _draw(missing: dict[str, tuple[Path, str]]) -> None:
    """Draws figures, several a process, which takes seconds to start; says how long each took."""
    groups: dict[tuple[Path, str], list[str]] = {}
    for name, (path, size) in missing.items():
        groups.setdefault((path.parent, size), []).append(name)
    for (folder, size), names in groups.items():
        for k in range(0, len(names), AT_ONCE):
            some = names[k : k + AT_ONCE]
            command = [sys.executable, "-m", "paper_figs", *some, size, "--out", str(folder)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            took = [line for line in done.stdout.splitlines() if line.startswith(str(folder))]
            print(*took, sep="\n", flush=True)
            if done.returncode not in (0, 1):  # 1: a claim fails, which the page shows
                raise RuntimeError(f"{' '.join(command)} failed")


def _kept(name: str) -> Path:
    """Where a picture of full size stands in the repository, if it does."""
    return ROOT / "paper_figs" / "gallery" / f"{KEPT.get(name, name)}.png"


def _page(name: str, module: ModuleType, size: str, folder: Path) -> str:
    command = " ".join(f"python -m paper_figs {name.removeprefix('fig_')} {size}".split())
    drawn = f"Drawn by `{command}`; without an option at full size.\n"
    if size == "--tiny" and _kept(name).exists():
        drawn = f"Drawn at full size; `{command}` draws it reduced, which gave the claims below.\n"
    code = Path(inspect.getfile(module)).read_text()
    return "\n".join(
        [
            f"# {name.removeprefix('fig_')}\n",
            (inspect.getdoc(module) or "") + "\n",
            f"```{{image}} {name}.png\n:alt: {first_line(module)}\n```\n",
            drawn,
            *_claims(module, size, folder),
            "## Code\n",
            f"````python\n{code}````\n",
        ]
    )


def _claims(module: ModuleType, size: str, folder: Path) -> list[str]:
    """A table of what the figure's studies claim, as it came out."""
    rows = []
    for study in _studies(module, size):
        for claim in study.store(root=folder).load_claims() or []:
            holds = "yes" if claim["passed"] else "**no**"
            cells = [claim["name"], _number(claim["measured"]), _number(claim["expected"])]
            rows.append(
                " | ".join(["", *map(plain, cells), holds, plain(claim["source"]), ""]).strip()
            )
    if not rows:
        return []
    return [
        "## Claims\n",
        "| claim | measured | expected | holds | source |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
