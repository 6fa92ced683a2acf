from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float

from ..._checks import check_instance, check_integer, check_positive
from ..._typing import Points
from ..models import Transformer
from ..recordings import Corpus, Recording, check_corpus
from ._bootstrap import with_intervals

NAMES = {
    "from_causal": "mean distance of column sums from those of causal uniform attention",
    "from_one": "mean distance of column sums from 1, those of a doubly stochastic matrix",
    "uniform_from_one": "the same for causal uniform attention",
    "sink_share": "share of the mass that attention sinks and the first token get",
    "uniform_sink_share": "the same for causal uniform attention",
    "slope": "effective beta: slope of the logits in the inner products of directions",
    "slope_r2": "share of the variance of logits that this slope explains",
    "columns": "quantiles of the column sums of a head",
}
ROWS = 0.02
"""By how much the sum of a row may be off 1: rounding of half precision over a thousand tokens."""
QUANTILES = np.linspace(0, 1, 21)
"""Of column sums: 0 is the smallest."""


@runtime_checkable
class Attends(Protocol):
    """What has attention matrices: a `Transformer`, or any object with such a method."""

    def attention(self, layer: int, x: Any) -> Any:
        """Weights [heads, n, n] of a layer at the states x [n, d] before it; rows sum to 1."""
        ...


def marginals(
    model: Attends, recordings: Corpus, sinks: float | None = 5.0, seed: int = 0
) -> xr.Dataset:
    """How far the attention of each layer of `model` is from doubly stochastic, and from idealized attention.

        c_j = sum_i w_ij,    from_causal = mean_j |c_j - u_j|,    u_j = 1/j + ... + 1/n

    with u the column sums of causal uniform attention (1 where attention is not causal). `sink_share` is
    that of the columns of sinks, tokens longer than `sinks` times the median of a layer, and of the first
    token. `slope` is the effective beta: the least-squares slope of log w_ij within rows in
    <x_i, x_j>/|x_i||x_j|, over tokens j < i that are no sinks, and `slope_r2` what it explains. All are
    means over heads, [layer], with `_low`, `_high` and `_each`, and `seed`, as in `lens`; so is `columns`
    [layer, quantile], the sorted column sums.

    Of a `Transformer` there is `symmetric` [layer, head] too, the share |S|^2/|M|^2 of the symmetric part S
    of M = K^T Q, which alone makes attention the gradient of an energy: 1 for Q = K, 0 for a skew M. It
    is `symmetric_null` = 1/2 + 1/2d in the mean where K and Q are unrelated: exactly, of M R for rotations
    R drawn evenly. Places that rotate Q and K come on top.

    Raises ValueError for what has no attention, or one whose rows do not sum to 1, and recordings from which
    tokens were dropped.
    Source: are attention matrices doubly stochastic: Sander et al., arXiv 2110.11773, figure 2; sinks: Xiao
    et al., arXiv 2309.17453.
    """
    check_instance(model, Attends, "a model with attention", "pass mf.latents.read(path)")  # type: ignore[type-abstract]
    seed, texts = check_integer(seed, "seed", 0), check_corpus(recordings)
    ratio = None if sinks is None else float(check_positive(sinks, "sinks", "pass sinks=5.0"))
    found = [_of_text(model, text, ratio) for text in texts]
    dims = {"columns": ("step", "quantile")}
    values = {k: (dims.get(k, ("step",)), np.stack([one[k] for one in found])) for k in NAMES}
    steps = texts[0].layers[:-1]
    variables = with_intervals(values, NAMES, seed)
    if isinstance(model, Transformer):
        variables |= _symmetric(model, steps.tolist())
    quantile = xr.Variable("quantile", QUANTILES, {"long_name": "share of columns with less"})
    return xr.Dataset(variables, {"step": steps, "quantile": quantile})


def _of_text(model: Attends, text: Recording, ratio: float | None) -> dict[str, np.ndarray]:
    """The quantities above of the attention from each layer to the next."""
    if text.positions.tolist() != [*range(text.n)] or text.n < 3 or len(text.states) < 2:
        raise ValueError(
            f"expected two layers of all tokens of a text, three or more, got {text!r}; record it "
            "anew and drop none."
        )
    sink = np.zeros(text.n, bool)
    sink[0] = True
    if ratio is not None:
        sink[text.sinks(ratio)] = True
    clouds = [(int(layer), text.cloud(entry)) for entry, layer in enumerate(text.layers[:-1])]
    found = [
        of_weights(_weights(model.attention(layer, x), text.n), x, jnp.asarray(sink))
        for layer, x in clouds
    ]
    return {name: np.stack([np.asarray(one[name]).mean(axis=0) for one in found]) for name in NAMES}


def _weights(found: Any, n: int) -> Float[Array, "heads n n"]:
    """Attention matrices, refused where they are none. What is NaN stays."""
    w = jnp.asarray(found)
    if w.ndim != 3 or w.shape[1:] != (n, n) or not jnp.issubdtype(w.dtype, jnp.floating):
        raise ValueError(
            f"expected real weights of shape [heads, {n}, {n}], got {w.dtype} of shape {list(w.shape)}; mend "
            "model.attention."
        )
    off = np.abs(np.asarray(w, float).sum(axis=2) - 1).max(initial=0)
    if off > ROWS or (np.asarray(w) < 0).any():
        raise ValueError(
            f"expected weights >= 0 whose rows sum to 1, got others, off by {off:.2g}; mend model.attention."
        )
    return w


def _symmetric(model: Transformer, layers: list[int]) -> dict[str, xr.Variable]:
    """The symmetric shares of all heads, and that of matrices that are unrelated."""
    shares = np.stack([np.asarray(symmetric_share(*model.query_and_key(k))) for k in layers])
    words = "share of the symmetric part of K^T Q, squared"
    null = {"long_name": "the same where K and Q are unrelated, in the mean"}
    return {
        "symmetric": xr.Variable(("step", "head"), shares, {"long_name": words}),
        "symmetric_null": xr.Variable((), 0.5 + 0.5 / model.d, null),
    }


def symmetric_share(
    query: Float[Array, "heads p d"], key: Float[Array, "heads p d"]
) -> Float[Array, " heads"]:
    """|S|^2/|M|^2 of M = K^T Q and S = (M + M^T)/2, from products of p rows: M is never made.

    |S|^2 = (|M|^2 + tr M^2)/2,    |M|^2 = <Q Q^T, K K^T>,    tr M^2 = tr (Q K^T)^2
    """
    turned = jnp.einsum("hpd,hqd->hpq", query, key)
    squares = [jnp.einsum("hpd,hqd->hpq", a, a) for a in (query, key)]
    whole, back = (squares[0] * squares[1]).sum((1, 2)), (turned * turned.mT).sum((1, 2))
    return (1 + back / whole) / 2


@eqx.filter_jit
def of_weights(
    w: Float[Array, "heads n n"], x: Points, sink: Bool[Array, " n"]
) -> dict[str, Float[Array, "heads ..."]]:
    """The quantities above, of each head."""
    n = w.shape[-1]
    places = jnp.arange(1, n + 1, dtype=w.dtype)
    past = w[:, 0, 1:].max() == 0  # whether the first token sees no other one
    uniform = jnp.where(past, jnp.cumsum(1 / places[::-1])[::-1], 1)
    columns = w.sum(axis=1)
    whole = jnp.ones(len(w), w.dtype)
    slope, share = _slopes(w, x / jnp.linalg.norm(x, axis=1)[:, None], sink)
    return {
        "from_causal": jnp.abs(columns - uniform).mean(axis=1),
        "from_one": jnp.abs(columns - 1).mean(axis=1),
        "uniform_from_one": jnp.abs(uniform - 1).mean() * whole,
        "sink_share": jnp.where(sink, columns, 0).sum(axis=1) / n,
        "uniform_sink_share": jnp.where(sink, uniform, 0).sum() / n * whole,
        "slope": slope,
        "slope_r2": share,
        "columns": jnp.quantile(columns, jnp.asarray(QUANTILES, w.dtype), axis=1).T,
    }


def _slopes(w: Float[Array, "heads n n"], u: Points, sink: Bool[Array, " n"]):
    """Slope of log w in <u_i, u_j> within rows, over j < i, and the share of variance explained."""
    earlier = jnp.tril(jnp.ones(w.shape[1:], bool), -1) & ~sink
    used = earlier & ~(w <= 0)  # no number stays none
    logs = _within_rows(jnp.log(jnp.where(used, w, 1)), used)
    products = _within_rows(jnp.broadcast_to(u @ u.T, w.shape), used)
    both, own = (products * logs).sum((1, 2)), (products**2).sum((1, 2))
    return both / own, both**2 / (own * (logs**2).sum((1, 2)))


def _within_rows(values: Float[Array, "heads n n"], used: Bool[Array, "heads n n"]):
    """Less the mean of each row, 0 where it is not used."""
    count = jnp.maximum(used.sum(axis=-1, keepdims=True), 1).astype(values.dtype)
    mean = jnp.where(used, values, 0).sum(axis=-1, keepdims=True) / count
    return jnp.where(used, values - mean, 0)
