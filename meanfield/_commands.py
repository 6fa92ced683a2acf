"""What the commands of `meanfield` do; each takes its arguments and returns the exit status."""

import contextlib
import dataclasses
import inspect
import re
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, TypeVar

import jax
import tyro
import xarray as xr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import studies
from ._finding import UsageError, announced, study_named
from ._machine import prepare, report
from .io import Store
from .studies.machinery import Study

_T = TypeVar("_T")


@dataclass(frozen=True)
class _RunOptions:
    """How to run it."""

    tiny: tyro.conf.FlagCreatePairsOff[bool] = False
    """The same study in seconds; fields that you set are as you set them."""
    out: Path | None = None
    """Folder of this run alone; by default results/<study>-<hash>. The same folder resumes."""
    seeds: int = 1
    """Number of seeds, from --seed on; claims are made at each."""
    keep: tyro.conf.FlagCreatePairsOff[bool] = False
    """Use stored results of other code or other versions; by default they are named and computed again."""
    fresh: tyro.conf.FlagCreatePairsOff[bool] = False
    """Remove what is stored and compute all again."""
    float32: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compute in float32; by default float64."""
    distributed: tyro.conf.FlagCreatePairsOff[bool] = False
    """Share the work among the processes of a cluster (Slurm, MPI, TPU pods, Kubernetes), which must see
    the same folder, and among the devices of each."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


@dataclass(frozen=True)
class _NoOptions:
    """No options but one."""

    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


@dataclass(frozen=True)
class _ShowOptions:
    folder: Annotated[Path, tyro.conf.Positional]
    """Folder that `meanfield run` wrote."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def list_studies(arguments: list[str]) -> int:
    """Shows the studies there are."""
    parse(_NoOptions, "meanfield list", arguments)
    table = Table("study", "what it is", box=None)
    for name, study in studies.available().items():
        table.add_row(name, first_line(study))
    for name, point in announced("meanfield.studies").items():
        table.add_row(name, f"of {point.value.partition(':')[0]}")
    console().print(table)
    return 0


def run(arguments: list[str]) -> int:
    """Runs a study, keeps its results and holds them against theory; 1 if a claim fails."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            "usage: meanfield run STUDY [--field value ...]; STUDY is a file my_study.py, or one of:\n"
        )
        list_studies([])
        return 0 if arguments else 2
    study, options = _read_study(study_named(arguments[0]), arguments[1:])
    prepare(options.float32, options.distributed)
    study = studies.repeat(study, options.seeds)
    try:
        return _run(study, options)
    finally:
        if options.distributed:
            jax.distributed.shutdown()  # left to the end of the interpreter, it may hang


def _run(study: Study, options: _RunOptions) -> int:
    store = _opened(study, options)
    result = study.run(store, sys.stderr.isatty(), options.distributed)
    claims = claims_of(study, result)
    passed = all(claim["passed"] for claim in claims)
    if jax.process_index() > 0:  # the first one speaks for all
        return 0 if passed else 1
    store.save_claims(claims)
    if store.reused:
        print(f"reused {store.reused} stored cells, {_computed(result)}")
    print_claims(claims)
    print(f"results in {store.folder}")
    return 0 if passed else 1


def _opened(study: Study, options: _RunOptions) -> Store:
    """The store of a run with the options `out`, `keep`, `fresh`; what other code left is named."""
    if options.fresh and (options.keep or options.distributed):
        raise UsageError(
            "expected --fresh without --keep or --distributed, whose processes would remove each "
            "other's cells; leave one of them out, or remove the folder first"
        )
    store = study.store(options.out, keep=options.keep)
    if options.fresh:
        store.clear()
    name_other_code(store)
    return store


def name_other_code(store: Store) -> None:
    """Says if a folder holds results of other code, and what is done about them."""
    if store.other_code:
        done = "kept, as --keep asks" if store.keep else "computed again; --keep would use them"
        said = f"results in {store.folder} are of other code, {store.other_code}: {done}"
        print(said, file=sys.stderr)


def show(arguments: list[str]) -> int:
    """Shows what a run left in a folder."""
    options = parse(_ShowOptions, "meanfield show", arguments)
    store = Store.open(options.folder)
    result = store.load_result()
    facts = {k: str(v) for k, v in store.identity.items() if not isinstance(v, dict)}
    facts |= {k: str(v) for k, v in store.identity.get("fields", {}).items()}
    print_facts(facts)
    if result is None:
        print(f"not finished: {store.cells()} cells are stored; run it again with --out to resume")
        return 0
    print_facts({k.removeprefix("provenance_"): str(v) for k, v in _origin(result).items()})
    print_facts({str(k): _describe(v) for k, v in result.variables.items()})
    print_claims(store.load_claims() or [])
    return 0


def doctor(arguments: list[str]) -> int:
    """Shows what there is to know about this machine; 1 if it computes wrong numbers."""
    parse(_NoOptions, "meanfield doctor", arguments)
    # A jax that is known to be wrong is to be reported here, and not refused.
    with contextlib.suppress(ValueError):
        prepare()
    facts, sound = report()
    print_facts(facts)
    print("this machine computes right numbers" if sound else "do not trust results from here")
    return 0 if sound else 1


def _read_study(
    kind: type[Study], arguments: list[str], default: Study | None = None
) -> tuple[Study, _RunOptions]:
    """The study and the options that the flags describe; the flags are the fields.

    What no flag says is as in `default`, which with --tiny is the tiny study.
    """
    given = dataclasses.field(default=default or kind())
    both = dataclasses.make_dataclass(
        "Both",
        [
            ("study", tyro.conf.OmitArgPrefixes[kind], given),
            ("run", tyro.conf.OmitArgPrefixes[_RunOptions]),
        ],
        kw_only=True,
    )
    read = parse(both, f"meanfield run {kind.name()}", arguments)
    if read.run.tiny and default is None:
        return _read_study(kind, arguments, kind().tiny())
    return read.study, read.run


def parse(kind: type[_T], program: str, arguments: list[str]) -> _T:
    """`arguments` read into `kind`; UsageError in one sentence where they do not fit."""
    panel = StringIO()
    try:
        with contextlib.redirect_stderr(panel):
            return tyro.cli(kind, prog=program, description="", args=arguments)
    except SystemExit as stop:
        if not stop.code:
            raise  # help was asked for and shown
        raise UsageError(_sentence(panel.getvalue(), program)) from None


def _sentence(panel: str, program: str) -> str:
    """What tyro says in a panel, in one line."""
    lines = [line.strip("\u2502 ") for line in panel.splitlines()]
    # Where the terminal has ASCII alone, rules are of minus signs.
    rules = [n for n, line in enumerate(lines) if re.match("[\u2500\u256d\u2570]|---", line)]
    said = " ".join(lines[rules[0] + 1 : rules[1]] if len(rules) > 1 else lines)
    near = re.search(r"Perhaps you meant:\s*(--[\w-]+)", " ".join(lines))
    hint = f"; perhaps you meant {near[1]}" if near else ""
    said = said.removeprefix("Error parsing study: ").rstrip(".")
    return f"{said}{hint}; see {program} --help"


def claims_of(study: Study, result: xr.Dataset) -> list[dict[str, Any]]:
    """The claims of a study, as they are stored."""
    return [dataclasses.asdict(claim) for claim in study.claims(result)]


def print_claims(claims: list[dict[str, Any]]) -> None:
    """Shows claims as a table."""
    table = Table(*("claim", "measured", "expected", "tolerance", "source", "passed"))
    for claim in claims:
        relation = "" if claim["relation"] == "==" else claim["relation"] + " "
        table.add_row(
            f"{claim['study']}: {claim['name']}" if "study" in claim else claim["name"],
            _number(claim["measured"]),
            relation + _number(claim["expected"]),
            _number(claim["tolerance"]),
            claim["source"],
            Text("yes", "green") if claim["passed"] else Text("NO", "bold red"),
        )
    console().print(table if claims else "no claims")


def print_facts(facts: dict[str, str]) -> None:
    """Shows names and what they stand for."""
    table = Table("", "", box=None, show_header=False)
    for name, value in facts.items():
        table.add_row(name, value)
    console().print(table)


def console() -> Console:
    """Where tables are shown."""
    # What is piped into a file is not to be broken at 80 columns.
    width = None if sys.stdout.isatty() else 160
    return Console(width=width, markup=False, highlight=False)


def _number(value: float | str) -> str:
    return f"{float(value):.6g}"  # a NaN is stored as a string


def _origin(result: xr.Dataset) -> dict[str, Any]:
    shown = ("provenance_", "cells_computed")
    return {str(k): v for k, v in result.attrs.items() if str(k).startswith(shown)}


def _computed(result: xr.Dataset) -> str:
    """Where and by what the cells of a result were computed."""
    return f"computed at {result.attrs['cells_computed_at']} with {result.attrs['cells_computed_with']}"


def _describe(variable: xr.Variable) -> str:
    sizes = ", ".join(f"{name}: {size}" for name, size in variable.sizes.items())
    return f"{variable.dtype} ({sizes}) {variable.attrs.get('long_name', '')}".rstrip()


def first_line(thing: Any) -> str:
    """What `thing` is, by the first line of its docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
