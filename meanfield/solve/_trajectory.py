from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffrax
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from .._known import is_concrete
from .._shown import AbstractShown, parts_of
from ._errors import Failure, describe
from ._saved import load_parts, save_parts

if TYPE_CHECKING:
    import xarray

_SAVED = ("ts", "values", "final", "stats", "ok", "reached")


class Merges(AbstractShown):
    """The merge tree of a run: at time[k], token absorbed[k] joined token kept[k].

    `mass` is that of the joined token; tokens keep the number they had in x0. `time` is the end of
    the step in which the two came within the merging distance.
    """

    time: Float[np.ndarray, " merges"]
    kept: Int[np.ndarray, " merges"]
    absorbed: Int[np.ndarray, " merges"]
    mass: Float[np.ndarray, " merges"]


class Trajectory(AbstractShown):
    """What a run leaves behind.

    - `ts` [T]: the times of the saves (steps, for a rollout).
    - `values`: dict of observables, each with leading length T. Of a failed run that is returned all the
      same, what had not been saved is NaN: `throw=False` makes floats of counts and truth values.
    - `final`: the last state.
    - `stats`: dict of counts: steps, accepted, rejected, and rhs (right-hand sides) where known; of a
      drift that iterates, also `converged`: whether it reached its tolerance at all saves and the end.
    - `result`: how the solver ended; `ok`: whether it succeeded with a finite state.
    - `reached`: the time of `final`: the last of `ts`, unless the run stopped before. Where a solution
      blows up, that is when.
    - `merges`: the merge tree, if the run merged tokens.
    """

    ts: Float[Array, " T"]
    values: dict[str, PyTree[Array]]
    final: PyTree[Array]
    stats: dict[str, Any]
    result: diffrax.RESULTS
    ok: Bool[Array, ""]
    reached: Float[Array, ""]
    merges: Merges | None = None

    def save(self, path: str | Path) -> Path:
        """The file, netCDF with its digest, that `Trajectory.load` reads: all that the run left behind.

        Raises ValueError for a state or an observable that is no tree of arrays, tuples, lists and dicts.
        """
        parts = {name: getattr(self, name) for name in _SAVED}
        merges = None if self.merges is None else dict(vars(self.merges))
        return save_parts(path, parts | {"merges": merges}, self.result)

    @staticmethod
    def load(path: str | Path) -> "Trajectory":
        """What `save` wrote. Raises ValueError for another file, or one that was damaged."""
        parts, result = load_parts(path)
        try:
            merges = parts.pop("merges")
            if merges is not None:
                merges = Merges(**{name: np.asarray(value) for name, value in merges.items()})
            return Trajectory(**parts, result=result, merges=merges)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"expected a run that Trajectory.save wrote, got {path}, which lacks parts; save it again."
            ) from error

    def shown(self) -> dict[str, Any]:
        """What is printed of it: its parts, and why it failed if it did."""
        parts = {name: v for name, v in parts_of(self).items() if name != "result"}
        if not is_concrete(self.ok) or np.ndim(self.ok) or bool(self.ok):
            return parts
        return {"failed": self._why()} | parts

    def _why(self) -> str:
        if not np.all(self.stats.get("converged", True)):
            return "an inner iteration did not reach its tolerance; see stats['converged']"
        return describe(Failure(self.result, "values and final show where", reached=self.reached))

    def to_xarray(self) -> "xarray.Dataset":
        """The observables as a labelled dataset with dimension `time`; parts of tuples are numbered."""
        import xarray as xr  # takes long, and most runs are not labelled

        arrays = {}
        for name, value in self.values.items():
            leaves = jax.tree.leaves(value)
            for i, leaf in enumerate(leaves):
                label = name if len(leaves) == 1 else f"{name}_{i}"
                axes = [f"{label}_{axis}" for axis in range(1, np.ndim(leaf))]
                arrays[label] = (["time", *axes], np.asarray(leaf))
        stats = {name: int(count) for name, count in self.stats.items() if np.ndim(count) == 0}
        return xr.Dataset(arrays, {"time": np.asarray(self.ts)}, stats)
