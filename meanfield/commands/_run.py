"""`meanfield run`: a study computed, kept, and held against theory."""

import dataclasses
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
import xarray as xr

from .. import studies
from ..io import Store
from ..studies.machinery import Study
from ._arguments import called, parse
from ._finding import UsageError
from ._list import list_studies
from ._machine import leave_cluster, prepare
from ._printing import print_claims
from ._signals import resumes
from ._studies import study_named
from .folders import save_picture

SAME = (("beta", "betas"), ("noise", "noises"), ("d", "dimensions"), ("n", "sizes"))
"""Fields that stand for one thing, one number or several; a flag of either name is taken."""


@dataclass(frozen=True)
class _RunOptions:
    """How to run it."""

    tiny: tyro.conf.FlagCreatePairsOff[bool] = False
    """The same study in seconds; fields that you set are as you set them."""
    out: Annotated[Path | None, called("DIR")] = None
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
    """Share the work among the processes (Slurm, MPI, TPU pod, Kubernetes) that see the folder."""
    no_picture: tyro.conf.FlagCreatePairsOff[bool] = False
    """Draw no picture.png into the folder."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


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
    _listen()
    done = False
    try:
        code = _run(study, options)
        done = True
        return code
    finally:
        if options.distributed:
            leave_cluster(wait=done)


def _listen() -> None:
    """Shows what the package says of itself: what would make this run far faster."""
    log = logging.getLogger("meanfield")
    if not log.handlers:
        said = logging.StreamHandler()
        said.setFormatter(logging.Formatter("meanfield: %(message)s"))
        log.addHandler(said)
    log.setLevel(logging.INFO)


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
    if not options.no_picture:
        _draw(result, store.folder / "picture.png")
    return 0 if passed else 1


def _draw(result: xr.Dataset, path: Path) -> None:
    """Draws the picture of a run, whose numbers stand whether that succeeds or not."""
    try:
        what = save_picture(result, path)
        print(f"{what} in {path}")
    except Exception as error:
        said = f"no picture: {type(error).__name__}: {error}"
        print(f"meanfield: {' '.join(said.split())}", file=sys.stderr)


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
    resumes(store)
    return store


def name_other_code(store: Store) -> None:
    """Says if a folder holds results of other code, and what is done about them."""
    if store.other_code:
        done = "kept, as --keep asks" if store.keep else "computed again; --keep would use them"
        said = f"results in {store.folder} are of other code, {store.other_code}: {done}"
        print(said, file=sys.stderr)


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
    fields = {field.name for field in dataclasses.fields(kind)}
    read = parse(both, f"meanfield run {kind.name()}", _renamed(arguments, fields))
    if read.run.tiny and default is None:
        return _read_study(kind, arguments, kind().tiny())
    return read.study, read.run


def _renamed(arguments: list[str], fields: set[str]) -> list[str]:
    """Flags by the names of this study, where others have the same thing in the singular or plural."""
    others = {f"--{a}": f"--{b}" for pair in SAME for a, b in (pair, pair[::-1])}
    mine = {f"--{name}" for name in fields}
    found = []
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        other = others.get(flag, "")
        found.append(f"{other}{equals}{value}" if flag not in mine and other in mine else argument)
    return found


def claims_of(study: Study, result: xr.Dataset) -> list[dict[str, Any]]:
    """The claims of a study, as they are stored."""
    return [dataclasses.asdict(claim) for claim in study.claims(result)]


def _computed(result: xr.Dataset) -> str:
    """Where and by what the cells of a result were computed."""
    return f"computed at {result.attrs['cells_computed_at']} with {result.attrs['cells_computed_with']}"
