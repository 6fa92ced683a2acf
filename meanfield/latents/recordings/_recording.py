import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import check_integer, check_positive, shown
from ..._typing import Points
from ._arrays import check_labels, check_mid, check_name, check_origin, check_states, numbered
from ._netcdf import write


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class Recording:
    """The hidden states of one text over the layers of a transformer.

    A corpus is a list of recordings. Arrays are numpy's, and may lie in a file (`load`): methods
    that return clouds compute in float32 or more.

    - `states` [layer, token, dim]: the residual stream before the first layer and after each layer,
      before any final norm.
    - `tokens` [token]: the ids of the text; `mid` [layer - 1, token, dim]: the states after the
      attention of each layer and before its MLP.
    - `model`, `provenance`: whose states they are, and how they were made (names and strings).
    - `layers` [layer]: the numbers of the layers that were kept, 0 for the embedding; `positions`
      [token]: the places in the text. All of them by default.

    `.directions()`, `.radii()`, `.increments()` and `.cloud(l)` are what is measured; `.drop(positions)`,
    `.without_sinks()` and `.distinct()` take tokens out, whose numbers in `positions` remain;
    `.select(layers)` keeps layers; `.save(path)` writes netCDF, which `load` reads.

    Raises ValueError for states without three axes, an empty one, NaN, and labels that do not fit.
    """

    states: Float[np.ndarray, "layer token d"]
    tokens: Int[np.ndarray, " token"] | None
    mid: Float[np.ndarray, "steps token d"] | None
    model: str
    provenance: Mapping[str, str]
    layers: Int[np.ndarray, " layer"]
    positions: Int[np.ndarray, " token"]

    def __init__(
        self,
        states: Any,
        tokens: Any = None,
        mid: Any = None,
        model: Any = "",
        provenance: Any = None,
        layers: Any = None,
        positions: Any = None,
    ):
        states = check_states(states, "states")
        count, n = states.shape[:2]
        layers = numbered(layers, count, "layers")
        fields = {
            "states": states,
            "tokens": check_labels(tokens, n, "tokens", "pass one id a token"),
            "mid": check_mid(mid, states, layers),
            "model": check_name(model),
            "provenance": check_origin(provenance),
            "layers": layers,
            "positions": numbered(positions, n, "positions"),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        count, n, d = self.states.shape
        name = f", {self.model}" if self.model else ""
        return f"Recording({count} layers of {n} tokens in R^{d}, {self.states.dtype}{name})"

    @property
    def d(self) -> int:
        """The dimension of the states."""
        return self.states.shape[2]

    @property
    def n(self) -> int:
        """The number of tokens."""
        return self.states.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """The precision in which clouds are given: float32 unless the states, and jax, have more."""
        return np.dtype(
            jax.dtypes.canonicalize_dtype(np.promote_types(self.states.dtype, np.float32))
        )

    def cloud(self, layer: int) -> Points:
        """The states [token, d] of one entry of `layers`, counted from 0; of a file, that part alone."""
        layer = check_integer(layer, "layer", 0)
        if layer >= len(self.states):
            raise ValueError(
                f"expected a layer below {len(self.states)}, got {layer}; layers are counted from 0."
            )
        return jnp.asarray(self.states[layer].astype(self.dtype))

    def radii(self) -> Float[Array, "layer token"]:
        """The norms |x|."""
        return jnp.asarray(self._lengths)

    def directions(self) -> Float[Array, "layer token d"]:
        """x/|x| on the unit sphere. Raises ValueError where a state is zero."""
        radii = self.radii()
        if not bool((radii > 0).all()):
            raise ValueError(
                "expected nonzero states for directions, got a zero; drop those tokens with .drop."
            )
        pairs = zip(self._clouds(), radii, strict=True)
        return jnp.stack([cloud / r[:, None] for cloud, r in pairs])

    def increments(self) -> Float[Array, "steps token d"]:
        """x_{l+1} - x_l between entries of `layers`: what the layers write.

        Raises ValueError for a single layer.
        """
        if len(self.states) < 2:
            raise ValueError("expected two layers or more, got one; record another layer.")
        pairs = itertools.pairwise(self._clouds())
        return jnp.stack([after - before for before, after in pairs])

    def drop(self, positions: Iterable[int]) -> "Recording":
        """The recording without the tokens at these places of the text (entries of `positions`).

        Raises ValueError for a place that is not there, and if no token would remain.
        """
        gone = {*_numbers(positions, "positions")}
        own = self.positions
        if absent := sorted(gone - {*own.tolist()}):
            raise ValueError(
                f"expected positions of this recording, got {absent[:5]}; see its .positions."
            )
        return self._keep(~np.isin(own, [*gone]))

    def distinct(self) -> "Recording":
        """The recording without tokens that coincide with an earlier one in some layer.

        Entropies of the others are finite. What was dropped is `1 - kept.n / recording.n` of the mass.
        """
        kept = np.ones(self.n, bool)
        for layer in self.states:
            first = np.unique(np.asarray(layer), axis=0, return_index=True)[1]
            kept &= np.isin(np.arange(self.n), first)
        return self._keep(kept)

    def sinks(self, ratio: float = 5.0) -> Int[np.ndarray, " sinks"]:
        """The positions of tokens that are longer, in some layer, than `ratio` times its median token:
        attention sinks, such as the first token of most models (Xiao et al., arXiv 2309.17453)."""
        radii = self._lengths
        longest = float(check_positive(ratio, "ratio", "pass ratio=5.0"))
        return self.positions[(radii > longest * np.median(radii, axis=1, keepdims=True)).any(0)]

    def without_sinks(self, ratio: float = 5.0) -> "Recording":
        """The recording without the tokens of `sinks(ratio)`."""
        return self.drop(self.sinks(ratio).tolist())

    def select(self, layers: Iterable[int]) -> "Recording":
        """The recording at these entries of `layers` alone; `mid` is left out."""
        wanted = _numbers(layers, "layers")
        own = self.layers.tolist()
        if not wanted or not {*wanted} <= {*own} or sorted({*wanted}) != wanted:
            raise ValueError(
                f"expected increasing layers among {shown(own)}, got {shown(wanted)}; see .layers."
            )
        rows = [own.index(layer) for layer in wanted]
        return dataclasses.replace(
            self, states=self.states[rows], layers=np.asarray(wanted), mid=None
        )

    def save(self, path: str | Path) -> None:
        """Writes netCDF of dimensions layer, token and dim, whole or not at all; half precision is kept.

        Raises ValueError where the system refuses.
        """
        write(self, path)

    @functools.cached_property
    def _lengths(self) -> Float[np.ndarray, "layer token"]:
        layers = (np.asarray(layer, float) for layer in self.states)
        lengths = np.sqrt(np.stack([np.einsum("nd,nd->n", x, x) for x in layers]))
        return lengths.astype(self.dtype)

    def _clouds(self) -> Iterator[Points]:
        return (self.cloud(entry) for entry in range(len(self.states)))

    def _keep(self, kept: np.ndarray) -> "Recording":
        if not kept.any():
            raise ValueError("expected a token to remain, got none; drop fewer positions.")
        if kept.all():
            return self
        tokens, mid = self.tokens, self.mid
        return dataclasses.replace(
            self,
            states=self.states[:, kept],
            tokens=None if tokens is None else tokens[kept],
            mid=None if mid is None else mid[:, kept],
            positions=self.positions[kept],
        )


def _numbers(values: Iterable[int], name: str) -> list[int]:
    """A list of integers from 0 on."""
    if isinstance(values, type) or not isinstance(values, Iterable):
        raise ValueError(f"expected a list for {name}, got {shown(values)}; pass [0], say.")
    return [check_integer(value, name, 0) for value in values]
