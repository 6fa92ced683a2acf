from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._typing import Key, Points, Scalar
from ...attention.kernels import Softmax
from ...dynamics.particles import PeriNorm, PostNorm, PreNorm
from ...geometry import Sphere
from ..machinery import Claim, Study, check_that, grid

SOURCE = "independent Gaussian weights, d large"
NAMES = ("Post", "Pre", "Peri", "nGPT", "Sqrt", "Mix")
COLLAPSED = 1e-2, 1e-9
"""Values of 1 - rho between which late rates are measured."""


@dataclass(frozen=True, kw_only=True)
class RandomTransformer(Study):
    """Cosine similarity of tokens over the depth of a transformer with random weights.

    Each layer has fresh query, key and value matrices of independent normal entries of variance 1/d;
    logits are sqrt(d) <Qx, Ky>, of variance 1; steps are 1, and tokens start uniform on the sphere.
    Post, Pre, Peri, nGPT, Sqrt and Mix (Post, from layer `tau` on Pre) see the same weights.

    In theory the first layer, which replaces x_i by x_i + V a_i with a_i the average that attention
    takes, makes the mean similarity (1/n) E[1/|x + V a|]^2 (Peri and nGPT: with a/|a| and
    alpha a/|a|). Late, all tokens receive the same vector, whatever they hold, and so 1 - rho falls
    by 1/2 a layer (Post), by 1/(1 + alpha^2) (nGPT), and like 1/layer (the others).

    Source: Karagodin, Ge, Polyanskiy, Rigollet, arXiv 2510.22026, the figure on random weights.
    """

    d: int = 512
    """Dimension."""
    n: int = 64
    """Number of tokens, fewer than d."""
    layers: int = 48
    """Depth."""
    draws: int = field(default=20, metadata={"least": 2})
    """Independent transformers."""
    alpha: float = 0.5
    """Learning rate of nGPT."""
    tau: int = 8
    """Layer from which Mix is Pre."""

    def check(self) -> None:
        check_that(1 < self.n <= self.d, "1 < n <= d", (self.n, self.d), "pass fewer tokens")

    def cells(self) -> list[dict[str, Any]]:
        return grid(draw=range(self.draws))

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        settings = jnp.asarray(self.alpha), jnp.asarray(self.tau)
        gaps = _depth(self.key(cell), *settings, self.n, self.d, self.layers)
        label = {"long_name": "1 - mean cosine similarity"}
        return xr.Dataset(
            {"gap": (("layer", "normalization"), gaps, label)},
            {"normalization": list(NAMES), "layer": np.arange(self.layers + 1)},
        )

    def tiny(self) -> "RandomTransformer":
        return replace(self, d=64, n=16, layers=48, draws=32)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        rates = {"Post": np.log(2), "nGPT": np.log1p(self.alpha**2)}
        first = [self._first(name, dataset.gap) for name in ("Post", "Peri", "nGPT")]
        late = [self._late(name, dataset.gap, rate) for name, rate in rates.items()]
        slower = dataset.gap.isel(layer=-1).mean("draw", skipna=False)
        ratio = slower.sel(normalization="Pre") / slower.sel(normalization="Post")
        name, source = "Pre keeps tokens apart longer than Post", "1/layer against 2^-layer"
        told = [claim for some in (*first, *late) for claim in some]
        return [*told, Claim.at_least(name, ratio, 100, source)]

    def _first(self, name: str, gap: xr.DataArray) -> list[Claim]:
        measured = 1 - gap.sel(normalization=name).isel(layer=1).values
        expected = first_similarity(name, self.n, self.d, self.alpha)
        # Four standard errors, and corrections of the order 1/d to lengths of V a.
        error = 4 * measured.std(ddof=1) / np.sqrt(self.draws) + 2 * expected / self.d
        return Claim.telling(f"{name}: first layer", measured.mean(), expected, error, SOURCE)

    def _late(self, name: str, gap: xr.DataArray, rate: float) -> list[Claim]:
        each = [
            _rate(values) for values in gap.sel(normalization=name).transpose("draw", ...).values
        ]
        # log|c + V c|^2 varies by sqrt(6/d)/2 a layer, which biases its mean by 3/(4 d).
        error = 4 * np.std(each, ddof=1) / np.sqrt(self.draws) + 3 / (4 * self.d)
        return Claim.telling(f"{name}: late rate a layer", np.mean(each), rate, error, SOURCE)


def first_similarity(name: str, n: int, d: int, alpha: float) -> float:
    """Mean similarity after one layer; the expectation over logits by sampling.

    |a|^2 = sum_k w_k^2 + 1/d: attention prefers tokens along K^T Q x, whose mean does not vanish.
    """
    weights = np.exp(np.random.default_rng(0).standard_normal((20_000, n)))
    weights /= weights.sum(axis=1, keepdims=True)
    length = np.sqrt((weights**2).sum(axis=1) + 1 / d)
    share = {
        "Post": 1 / np.sqrt(1 + length**2),
        "Peri": 1 / (length * np.sqrt(2)),
        "nGPT": alpha / (length * np.sqrt(1 + alpha**2)),
    }[name]
    return float(share.mean() ** 2 / n)


def gap(x: Points) -> Scalar:
    """1 - the mean cosine similarity over pairs, with all its digits where tokens are close."""
    u = Sphere(x.shape[1]).project(x)
    return ((u - u.mean(axis=0)) ** 2).sum() / (x.shape[0] - 1)


def _rate(values: Float[np.ndarray, " layers"]) -> float:
    """The mean fall of log(1 - rho) a layer once tokens have collapsed, above rounding; NaN if never."""
    window = np.flatnonzero((values < COLLAPSED[0]) & (values > COLLAPSED[1]))
    if window.size < 2:
        return np.nan
    first, last = window[0], window[-1]
    return float(np.log(values[first] / values[last]) / (last - first))


@partial(jax.jit, static_argnums=(3, 4, 5))
def _depth(
    key: Key, alpha: Scalar, tau: Array, n: int, d: int, layers: int
) -> Float[Array, "depth names"]:
    """1 - rho after 0, ..., `layers` layers, for each of `NAMES`."""

    def look(tokens: tuple[Points, ...]) -> Float[Array, " names"]:
        return jnp.stack([gap(x) for x in tokens])

    def step(tokens, numbered):
        number, key = numbered
        query, keys, value = jax.random.normal(key, (3, d, d)) / np.sqrt(d)
        tokens = _layer(tokens, Softmax(np.sqrt(d), query, keys, value), number, alpha, tau)
        return tokens, look(tokens)

    first, *rest = jax.random.split(key, layers + 1)
    start = (Sphere(d).sample(first, n),) * len(NAMES)
    _, gaps = jax.lax.scan(step, start, (jnp.arange(layers), jnp.stack(rest)))
    return jnp.concatenate([look(start)[None], gaps])


def _layer(
    tokens: tuple[Points, ...], f: Softmax, number: Array, alpha: Scalar, tau: Array
) -> tuple[Points, ...]:
    """One layer of each of `NAMES`."""
    post, pre, peri, ngpt, sqrt, mix = tokens
    unit = Sphere(post.shape[1]).project
    one = jnp.ones((), post.dtype)
    return (
        PostNorm().layer(post, f, one),
        PreNorm().layer(pre, f, one),
        PeriNorm().layer(peri, f, one),
        unit(ngpt + alpha * unit(f(ngpt))),
        PostNorm().layer(sqrt, f, 1 / jnp.sqrt(number.astype(post.dtype) + 1)),
        jnp.where(number < tau, PostNorm().layer(mix, f, one), PreNorm().layer(mix, f, one)),
    )
