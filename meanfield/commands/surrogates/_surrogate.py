"""`meanfield surrogate`: documents of equations checked, run, fitted and reported on from the shell."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.table import Table

from ...io import pack, write_bytes
from ...surrogates import Surrogate, load, schema
from .._arguments import called, parse
from .._finding import UsageError, choose
from .._machine import prepare
from .._printing import console

KEPT = "values", "errors", "intervals", "rank", "unidentified", "chi2", "dof", "quality"
"""What of a fit is kept in a file."""
DOCUMENT = tyro.conf.arg(metavar="FILE")


@dataclass(frozen=True)
class _CheckOptions:
    file: Annotated[str, tyro.conf.Positional, DOCUMENT]
    """A document in JSON or YAML, or the name of one that ships, such as E1."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


@dataclass(frozen=True)
class _RunOptions(_CheckOptions):
    set: Annotated[tuple[str, ...], called("NAME=VALUE ...")] = ()
    """Values of parameters, inputs or starts, instead of the document's."""
    out: Annotated[Path | None, called("FILE.nc")] = None
    """Where the trajectory is kept."""


@dataclass(frozen=True)
class _FitOptions(_CheckOptions):
    data: Path = Path("data.csv")
    """A table with columns named by the symbols of the document."""
    starts: int = 4
    """From how many points the search begins."""
    out: Annotated[Path | None, called("FILE.json")] = None
    """Where the fit is kept."""


@dataclass(frozen=True)
class _PosteriorOptions(_CheckOptions):
    data: Path = Path("data.csv")
    """A table with columns named by the symbols of the document."""
    chains: int = 4
    """How many chains, which must agree."""
    draws: int = 1000
    """Of each chain, after as many of warm-up."""
    seed: int = 0
    """Of where chains start and how they move."""
    out: Annotated[Path | None, called("FILE.nc")] = None
    """Where the draws are kept."""


@dataclass(frozen=True)
class _ReportOptions(_CheckOptions):
    out: Path = Path("report.html")
    """Where the report is kept, .html or .md."""
    data: Annotated[Path | None, called("FILE.csv")] = None
    """Measurements to fit first."""


def surrogate(arguments: list[str]) -> int:
    """One of the commands on documents."""
    verbs = {"check": _check, "run": _run, "fit": _fit, "posterior": _posterior}
    verbs |= {"report": _report, "schema": _schema}
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            f"meanfield surrogate {'|'.join(verbs)} FILE [...]; --help after one shows its options"
        )
        return 0 if arguments else 2
    name = choose(arguments[0], verbs, "command", "meanfield surrogate --help")
    return verbs[name](arguments[1:])


def _schema(arguments: list[str]) -> int:
    if arguments:
        raise UsageError(
            f"expected no arguments of schema, got {arguments[0]}; send its output to a file"
        )
    json.dump(schema(), sys.stdout, indent=1)
    print()
    return 0


def _check(arguments: list[str]) -> int:
    model = load(parse(_CheckOptions, "meanfield surrogate check", arguments).file)
    return _passed(model)


def _passed(model: Surrogate) -> int:
    """Says what is wrong with units: the exit status is 1 then."""
    problems = model.check().problems
    for problem in problems:
        print(problem)
    print(f"{model}: {len(problems)} disagreements, document {model.digest[:12]}")
    return 1 if problems else 0


def _run(arguments: list[str]) -> int:
    options = parse(_RunOptions, "meanfield surrogate run", arguments)
    prepare()
    model = load(options.file)
    changed = dict(_value(each) for each in options.set)
    if _passed(model):
        return 1
    found = model.simulate(changed)
    if options.out is not None:
        write_bytes(options.out, pack(found.values))
    table = Table("symbol", "units", "at the start", "at the end")
    for name, values in found.values.data_vars.items():
        ends = [f"{float(values[k].mean()):.6g}" for k in (0, -1)]
        table.add_row(str(name), values.attrs["units"], *ends)
    console().print(table)
    for each in found.violations:
        print(
            f"constraint {each.id} broken by {each.size:.6g} at {each.time:g}, at {each.share:.1%} of all"
        )
    for each in found.conserved:
        print(f"conserved {each.id} changes by {each.change:.2g}{'' if each.ok else ', too much'}")
    return 0 if found.ok else 1


def _fit(arguments: list[str]) -> int:
    options = parse(_FitOptions, "meanfield surrogate fit", arguments)
    prepare()
    found = load(options.file).fit(options.data, options.starts)
    table = Table("parameter", "value", "standard error", "95 % from", "to")
    for name, value in found.values.items():
        ends = found.intervals[name]
        table.add_row(name, *(f"{each:.6g}" for each in (value, found.errors[name], *ends)))
    console().print(table)
    print(f"rank {found.rank} of {found.unknowns}")
    print(f"chi-squared {found.chi2:.6g} with {found.dof} degrees of freedom")
    for each in found.unidentified:
        print(
            "not determined together:", ", ".join(f"{name} by {v:.6g}" for name, v in each.items())
        )
    if options.out is not None:
        content: dict[str, Any] = {name: getattr(found, name) for name in KEPT}
        text = json.dumps(content, indent=1).replace("Infinity", "null")
        write_bytes(options.out, text.encode())
    return 0 if found.converged else 1


def _posterior(arguments: list[str]) -> int:
    options = parse(_PosteriorOptions, "meanfield surrogate posterior", arguments)
    prepare()
    key = jax.random.key(options.seed)
    found = load(options.file).posterior(
        options.data, key, options.chains, options.draws, options.draws
    )
    table = Table(
        "parameter", "mean", "deviation", "95 % from", "to", "R-hat", "ESS", "contraction"
    )
    for name, value in found.means.items():
        row = (value, found.deviations[name], *found.intervals[name])
        checks = (
            f"{found.rhat[name]:.4f}",
            f"{found.ess[name]:.0f}",
            f"{found.contraction[name]:.3f}",
        )
        table.add_row(name, *(f"{each:.6g}" for each in row), *checks)
    console().print(table)
    print(f"{'' if found.converged else 'not '}converged")
    if options.out is not None:
        write_bytes(options.out, pack(found.draws))
    return 0 if found.converged else 1


def _report(arguments: list[str]) -> int:
    options = parse(_ReportOptions, "meanfield surrogate report", arguments)
    prepare()
    print(load(options.file).report(options.out, options.data))
    return 0


def _value(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if name and equals:
            return name, float(value)
    except ValueError:
        pass
    raise UsageError(f"expected a value NAME=NUMBER, got {text!r}")
