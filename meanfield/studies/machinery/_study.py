'''What a study is, and how to write one.

A study is one frozen dataclass in one file under its subject, `studies/<subject>/_decay.py`, and a line
in the two `__init__.py` above it; `meanfield run decay --rate 2` then works. Fields are plain
(numbers, strings, booleans, tuples of them), documented by the string below each: they become the
flags of the command line. Defaults say what they may hold, as `check_fields` reads them. A complete
one, `_decay.py`:

    import xarray as xr
    import numpy as np
    from dataclasses import dataclass, replace

    from meanfield.studies.machinery import Claim, Study

    @dataclass(frozen=True, kw_only=True)
    class Decay(Study):
        """Exponential decay x' = -rate x, against exp(-rate t)."""

        rate: float = 1.0
        """Rate of the decay."""
        starts: tuple[float, ...] = (1.0, 2.0, 3.0)
        """Values of x(0); one cell each."""
        n: int = 1000
        """Steps up to t = 1."""

        GRID = {"start": "starts"}
        QUANTITIES = {"x": "x(1)", "start": "x(0)"}

        def compute(self, cell: dict) -> xr.Dataset:
            x = cell["start"] * (1 - self.rate / self.n) ** self.n
            return xr.Dataset({"x": ((), x)})

        def tiny(self) -> "Decay":
            return replace(self, starts=self.starts[:1], n=100)

        def claims(self, dataset: xr.Dataset) -> list[Claim]:
            ratio = float((dataset.x / dataset.start).mean())
            # explicit Euler: (1 - a/n)^n = exp(-a) (1 - a^2 / 2n + ...), and a^2 exp(-a) < 0.55
            return [Claim.close("x(1)/x(0)", ratio, np.exp(-self.rate), 0.3 / self.n, "calculus")]

As `my_study.py`, anywhere, it is run by `meanfield run my_study.py --rate 2`. (Studies of the package say
`from ..machinery import ...`.)

`GRID` names the axes of the grid of cells, and the field that lists the values of each; replace
`cells()` where they fill none. `QUANTITIES` says what each variable is, with its unit in brackets
("angle [rad]"); `run` puts both into its attributes. `compute` depends on nothing but the fields and
the cell: a cell is the unit that is stored, that a killed run keeps, and that is never computed
twice. Random keys come from `self.key(cell)`, one a cell, or from `jax.random.key(self.seed)` where
the cells are to share their noise.
`assemble(parts)`
puts the parts along dimensions named after the cell's entries (here `start`); replace it where the
cells fill no grid, or further quantities follow from all of them. `run` turns jax arrays into numpy.

Where claims are of each cell by itself, extend `AbstractCellwiseStudy` and write `claims_at(cell, one)`.

A folder of results is known by the study's name, fields and precision, and each file in it by its
code too: the sources of the study's module and of all modules of ours that it imports (comments and
docstrings aside), and the versions of the packages that compute. After an edit, what is stored counts
as absent and is named, unless it is asked to be kept. Fields named tiny, out, seeds, float32, keep,
fresh, distributed, no_picture or traceback would collide with the flags of `meanfield run`.
'''

import abc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import jax
import xarray as xr

from ..._memory import drop_programs
from ..._names import snake_case
from ...io import (
    Store,
    blend,
    code_digest,
    described_code,
    digest,
    identity_of,
    plain,
    precision,
    provenance,
    software,
    stamp,
    strip,
    work_key,
)
from ._cells import distinct, grid
from ._claim import Claim as Claim
from ._field_checks import check_fields
from ._quantities import told
from ._share import compute_together, wait_until

_Study = TypeVar("_Study", bound="Study")


@dataclass(frozen=True, kw_only=True)
class Study(abc.ABC):
    """A named experiment: `run()` yields a dataset, `claims(dataset)` holds it against theory.

    Two studies with equal fields are one computation, known by the hash of `identity()`.
    """

    seed: int = 0
    """Seed of every random key."""

    GRID: ClassVar[Mapping[str, str]] = {}
    QUANTITIES: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self):
        check_fields(self)
        self.check()

    def check(self) -> None:  # noqa: B027
        """ValueError where fields contradict each other; nothing by default."""

    def cells(self) -> list[dict[str, Any]]:
        """The independent units of work, as distinct dicts of plain values: the grid of `GRID` by default,
        or one cell where it names no axis."""
        return grid(**{axis: getattr(self, field) for axis, field in self.GRID.items()})

    @abc.abstractmethod
    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        """What one cell yields: named, labelled arrays. A function of the fields and the cell."""

    @abc.abstractmethod
    def tiny(self: _Study) -> _Study:
        """The same study, small enough to end in seconds, with claims that still hold."""

    @abc.abstractmethod
    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        """The numbers of `dataset` that theory predicts, held against it."""

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        """The whole result: each entry of the cells becomes a dimension, its coordinate sorted.

        The cells must fill a grid, with one number or string an entry. Where parts have other coordinates
        than the rest, NaN stands for what they lack.
        """
        # Where cells have states or times of their own, no dimension but theirs may get to be one more.
        pairs = zip(self.cells(), xr.align(*parts, join="outer"), strict=True)
        labelled = [part.assign_coords(cell).expand_dims(list(cell)) for cell, part in pairs]
        whole = xr.combine_by_coords(
            labelled, compat="no_conflicts", data_vars="all", coords="minimal", join="outer"
        )
        return cast(xr.Dataset, whole)

    def run(
        self, store: Store | None = None, progress: bool = False, distributed: bool = False
    ) -> xr.Dataset:
        """The result, from the store where it is known: a cell that is stored is not computed.

        `store` is `self.store(...)`, or None to keep nothing; `progress` shows a bar. `distributed`
        shares the cells among the processes of `jax.distributed`, which meet in one store, and among
        the devices of each; the cells of one that is killed go to the rest, and the first assembles.
        Provenance stands in the attributes of the result. Raises ValueError if the store is another
        study's, a file of it is damaged, or there is none to meet in. A run that fails before anything
        is stored leaves no folder.
        """
        if store is None:
            return self._run(None, progress, distributed)
        self._check(store)
        try:
            return self._run(store, progress, distributed)
        except BaseException:
            store.release()
            raise

    def _run(self, store: Store | None, progress: bool, distributed: bool) -> xr.Dataset:
        if store is not None and (known := store.load_result()) is not None:
            return known
        cells = distinct(self.cells())
        if distributed and (known := self._meet(cells, store)) is not None:
            return known
        identity = self.identity()
        parts = [self._part(cell, store) for cell in _track(cells, self.name(), progress)]
        result = told(self.assemble([strip(part) for part in parts]).as_numpy(), self.quantities())
        result = result.assign_attrs(
            study=self.name(),
            cells_computed_at=_origins(parts),
            cells_computed_with=_codes(identity, parts),
        )
        identity = blend(identity, parts)
        if store is not None:
            store.save_result(result, identity)
        return result.assign_attrs(stamp(identity))

    def quantities(self) -> Mapping[str, str]:
        """What each variable of the result is, with its unit in brackets, beyond what all studies share."""
        return self.QUANTITIES

    def key(self, cell: dict[str, Any]) -> jax.Array:
        """A random key of the seed and the cell, whatever the order of the cells."""
        return jax.random.fold_in(jax.random.key(self.seed), int(digest(cell)[:8], 16))

    def store(
        self, folder: str | Path | None = None, root: str | Path = "results", keep: bool = False
    ) -> Store:
        """The store of this study: `folder` itself, or `root/<study>-<hash>` if it is None.

        What other code has left there is named in its `other_code`, and used only if `keep`.
        """
        if folder is not None:
            return Store(folder, self.identity(), keep)
        return Store.under(root, self.identity(), keep)

    def identity(self) -> dict[str, Any]:
        """What makes this computation another one: name, fields, precision; and the code that makes
        its numbers other ones: a digest of the sources, and the versions of the packages."""
        return {
            "study": self.name(),
            "fields": plain(self),
            "precision": precision(),
            "code": code_digest(type(self)),
            "software": software(),
        }

    @classmethod
    def name(cls) -> str:
        """The class's name in snake_case, as the command line knows it."""
        return snake_case(cls.__name__)

    def _check(self, store: Store) -> None:
        if store.key != work_key(self.identity()):
            raise ValueError(
                f"expected the store of this study, got {store.folder}; pass self.store(folder)."
            )

    def _meet(self, cells: list[dict[str, Any]], store: Store | None) -> xr.Dataset | None:
        """Waits until all cells are stored, and, but for the first process, for the result."""
        if store is None:
            raise ValueError(
                "expected a store in which processes meet, got none; pass self.store(folder)."
            )
        compute_together(cells, lambda c: self._part(c, store), store.__contains__, store.folder)
        if jax.process_index() == 0:
            return None
        wait_until(lambda: store.load_result() is not None)
        return store.load_result()

    def _part(self, cell: dict[str, Any], store: Store | None) -> xr.Dataset:
        if store is not None and (known := store.find_cell(cell)) is not None:
            return known
        part = self.compute(dict(cell)).as_numpy()
        drop_programs()
        if store is not None:
            store.save_cell(cell, part)
        return part


def _track(cells: list[dict[str, Any]], name: str, progress: bool) -> Iterable[dict[str, Any]]:
    """The cells, with a bar on the standard error if `progress`: cells and time."""
    if not progress:
        yield from cells
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn(),
        bars.TextColumn("cells"), bars.TimeElapsedColumn(), bars.TextColumn("gone,"),
        bars.TimeRemainingColumn(), bars.TextColumn("left"),
    )  # fmt: skip
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        yield from bar.track(cells, description=name)


def _origins(parts: list[xr.Dataset]) -> str:
    """The commits at which the parts were computed."""
    now = {f"provenance_{name}": value for name, value in provenance().items()}
    origins = [now | part.attrs for part in parts]
    commits = [
        o["provenance_git_commit"] + (" (changed)" if o["provenance_git_dirty"] == "yes" else "")
        for o in origins
    ]
    return ", ".join(dict.fromkeys(commits))


def _codes(identity: dict[str, Any], parts: list[xr.Dataset]) -> str:
    """The code and the versions by which the parts were computed."""
    each = [described_code(identity_of(part) or identity) for part in parts]
    return "; ".join(dict.fromkeys(each))
