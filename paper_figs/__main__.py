"""The command that draws figures: see the package's docstring."""

import sys

from meanfield.program import become_program, complain, guarded

if __name__ == "__main__":
    become_program()  # before the imports, which take seconds

import contextlib
import importlib
import re
import shutil
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Annotated, Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import tyro
import xarray as xr
from matplotlib.figure import Figure

from meanfield.io import write_bytes, write_json
from meanfield.program import (
    announced,
    choose,
    claims_of,
    first_line,
    load_announced,
    load_file,
    name_other_code,
    parse,
    prepare,
    print_claims,
    resumes,
    snake_case,
)
from meanfield.studies import Study

HERE = Path(__file__).parent
NAMES = tyro.conf.arg(metavar="NAME ...", help_behavior_hint="")


@dataclass(frozen=True)
class Options:
    """Draws the figures, from their studies, which are run where they are not yet stored."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, NAMES] = ()
    """Figures to draw; all of them if none is named."""
    tiny: tyro.conf.FlagCreatePairsOff[bool] = False
    """Every study in seconds: a rehearsal."""
    demo: tyro.conf.FlagCreatePairsOff[bool] = False
    """Reduced studies, and only the figures that have them; one that is named must."""
    out: Path = Path("results")
    """Folder for the figures, the studies' results and claims.json."""
    keep: tyro.conf.FlagCreatePairsOff[bool] = False
    """Use stored results of other code or other versions; by default they are computed again."""
    list: tyro.conf.FlagCreatePairsOff[bool] = False
    """List the figures and stop."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Stop at the first error and show where it arose."""


def main(argv: Sequence[str] | None = None, program: str = "python -m paper_figs") -> int:
    """Runs the command, called `program`; 1 if a claim fails, 2 if a figure cannot be drawn, 130 if
    interrupted."""
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    return guarded(lambda: _main(arguments, program), show_traceback="--traceback" in arguments)


def _main(arguments: Sequence[str], program: str) -> int:
    options = parse(Options, program, [*arguments])
    modules = _select(options)
    if options.list:
        width = shutil.get_terminal_size((160, 24)).columns  # what is piped is not broken
        for name, module in modules.items():
            line = f"{name:40} {first_line(module)}"
            print(textwrap.fill(line, width, subsequent_indent=" " * 41))
        return 0
    prepare()
    claims: dict[str, list[dict[str, Any]]] = {}
    failed = [name for name, module in modules.items() if not _make(name, module, options, claims)]
    table = [claim for of_one_study in claims.values() for claim in of_one_study]
    write_json(options.out / "claims.json", table)
    print_claims(table)
    if failed:
        return complain(f"could not draw {', '.join(failed)}")
    return 0 if all(claim["passed"] for claim in table) else 1


def _select(options: Options) -> dict[str, ModuleType]:
    """The figures' modules by name."""
    modules = dict(figure_named(name) for name in options.names) or all_figures()
    lack = [
        name for name, module in modules.items() if options.demo and not hasattr(module, "DEMO")
    ]
    if options.names and lack:
        raise ValueError(
            f"expected figures that have a demo, got {', '.join(lack)}; leave out --demo, or pass "
            "--tiny instead."
        )
    kept = {name: module for name, module in modules.items() if name not in lack}
    if not kept:
        raise ValueError("expected a figure to draw, got none; see python -m paper_figs --list.")
    return kept


def all_figures() -> dict[str, ModuleType]:
    """The figures of this folder, by name."""
    names = sorted(path.stem for path in HERE.glob("fig_*.py"))
    return {name: importlib.import_module(f"{__package__}.{name}") for name in names}


def figures_that_name(study: str) -> dict[str, ModuleType]:
    """The figures in whose sources a study's class stands, by name; the others are not imported."""
    words = {
        path.stem: re.findall(r"\b[A-Z]\w+", path.read_text("utf-8"))
        for path in sorted(HERE.glob("fig_*.py"))
    }
    return {
        name: importlib.import_module(f"{__package__}.{name}")
        for name, named in words.items()
        if study in map(snake_case, named)
    }


def figure_named(name: str) -> tuple[str, ModuleType]:
    """A figure of this folder, of another package, or of a file, my_figure.py."""
    if name.endswith(".py"):
        return Path(name).stem, _drawable(load_file(Path(name)), name)
    ours = {path.stem.removeprefix("fig_") for path in HERE.glob("fig_*.py")}
    others = announced("meanfield.figures")
    asked = name.removeprefix("fig_")
    chosen = choose(asked, sorted({*ours, *others}), "figure", "meanfield figures --list")
    if chosen in ours:
        return f"fig_{chosen}", importlib.import_module(f"{__package__}.fig_{chosen}")
    return chosen, _drawable(load_announced(others[chosen]), chosen)


def styled() -> contextlib.AbstractContextManager:
    """A context in which pictures have the style of papers."""
    return plt.style.context(HERE / "paper.mplstyle")


def _drawable(module: ModuleType, name: str) -> ModuleType:
    if not (isinstance(getattr(module, "STUDIES", None), dict) and hasattr(module, "draw")):
        raise ValueError(
            f"expected a module with STUDIES and draw, got {name}, which lacks one; see the example in "
            "paper_figs/__init__.py."
        )
    return module


def _make(name: str, module: ModuleType, options: Options, claims: dict) -> bool:
    """Whether the figure came out: one that fails does not keep the others from being drawn."""
    start = time.perf_counter()
    try:
        results = _run_all(module.DEMO if options.demo else module.STUDIES, options, claims)
        with styled():
            _save(module, results, options.out / name)
    except Exception as error:
        if options.traceback:
            raise
        complain(f"{name}: {type(error).__name__}: {error} (--traceback shows where)")
        return False
    print(f"{options.out / name}.pdf  {time.perf_counter() - start:.1f} s")
    return True


def _run_all(studies: dict[str, Study], options: Options, claims: dict) -> dict[str, xr.Dataset]:
    """The result of each study; its claims are added to `claims` under its hash."""
    results = {}
    for label, full in studies.items():
        study = full.tiny() if options.tiny else full
        store = study.store(root=options.out, keep=options.keep)
        name_other_code(store)
        resumes(store)
        known = store.load_result() is not None
        result = results[label] = study.run(store, progress=sys.stderr.isatty())
        if known and store.key not in claims:
            print(f"reused {store.folder}, computed at {result.attrs['cells_computed_at']}")
        made = claims_of(study, result)
        store.save_claims(made)
        claims[store.key] = [{"study": store.folder.name} | claim for claim in made]
    return results


def _save(module: ModuleType, results: dict[str, xr.Dataset], path: Path) -> None:
    """Draws and saves the figure as PDF and PNG, and its animation as GIF."""
    figure: Figure = module.draw(results)
    facts = facts_of(results)
    text = "; ".join(f"{name} {value}" for name, value in facts.items())
    about = {
        "png": {"Title": path.name, **facts},
        "pdf": {"Title": path.name, "Creator": "meanfield", "Subject": text},
    }
    for kind, metadata in about.items():
        picture = BytesIO()
        figure.savefig(picture, format=kind, metadata=metadata)
        write_bytes(path.with_suffix(f".{kind}"), picture.getvalue())
    if hasattr(module, "animate"):
        with TemporaryDirectory() as folder:
            film = Path(folder) / "film.gif"
            module.animate(results).save(film, writer="pillow")
            write_bytes(path.with_suffix(".gif"), film.read_bytes())
    plt.close("all")


def facts_of(results: dict[str, xr.Dataset]) -> dict[str, str]:
    """The provenance of the results, as metadata of a picture."""
    facts: dict[str, dict[str, None]] = {}
    for result in results.values():
        own = {k: v for k, v in result.attrs.items() if str(k).startswith("provenance_")}
        own["study"] = f"{result.attrs['study']}-{result.attrs['key'][:12]}"
        for name, value in own.items():
            facts.setdefault(str(name).removeprefix("provenance_"), {})[str(value)] = None
    return {name: ", ".join(values) for name, values in facts.items()}


if __name__ == "__main__":
    raise SystemExit(main())
