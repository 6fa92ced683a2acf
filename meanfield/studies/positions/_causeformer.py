from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.integrate import quad
from scipy.special import j1

from ..._typing import Points
from ...attention.kernels import Sinkhorn, Softmax, causal_columns
from ...dynamics.particles import PostNorm
from ...observables import state
from ...schemes import TransformerLayers
from ...solve import rollout
from ..machinery import TELLING, Claim, Study, check_that, some_of

KINDS = ("softmax", "Sinkhorn")
START, NEAR = 2.0, 0.1
"""The angles between two tokens at the start, and where they count as merged."""
TOL = 1e-9
"""Error of row and column sums."""
NODES = 8
"""Of Gauss and Legendre between two angles of the times to merge, and on circles."""
RADIUS = 0.5
"""Of circles in the plane of two angles."""
OURS = "columns of uniform causal attention; derived here"


@dataclass(frozen=True, kw_only=True)
class Causeformer(Study):
    """Causal attention on the circle, by softmax and by Sinkhorn with the columns of uniform attention.

    - `column` by layer, what the first of n tokens draws (an attention sink), where its logits have
      a bias s: softmax draws sum_i e^s/(e^s + i - 1) once tokens agree, which tends to n (`sink`, over s);
      Sinkhorn H_n at every layer. It absorbs s: tokens move (`spread`) as if there were none.
    - `reached`: when the second of two tokens has come to an angle from the first one, the integral of
      1/speed: 2 log(tan(1)/tan(angle/2)) by Sinkhorn at every beta; softmax holds it for times of order
      e^{beta (1 - cos 2)}.
    - `rate`, at which token i comes back to a consensus, 1 - A_ii: 1 - 1/i by both.
    - `work` of the velocities along a small circle in the plane of the two angles: under a causal mask
      they are no gradient; without it, `work_full`, they are.

    Source: causal softmax in Karagodin, Polyanskiy, Rigollet, arXiv 2411.04990; the rest is ours.
    """

    betas: tuple[float, ...] = (1.0, 2.0, 4.0, 6.0, 8.0)
    """Inverse temperatures."""
    biases: tuple[float, ...] = (0.0, 4.0)
    """Logits that the first token has in addition, of the runs."""
    sinks: tuple[float, ...] = (0.0, 2.0, 4.0, 6.0, 8.0)
    """The same, where all tokens agree."""
    n: int = 32
    """Tokens."""
    layers: int = 150
    """Layers, each a step of Euler and a normalization."""
    step: float = 0.2
    """Time of a layer."""
    angles: int = 41
    """Angles between two tokens."""

    GRID: ClassVar = {"beta": "betas"}
    QUANTITIES: ClassVar = {
        "bias": "logits that the first token has in addition",
        "column": "attention that the first token draws",
        "spread": "largest angle from the first token [rad]",
        "sink": "attention that the first token draws at consensus",
        "extra": "logits that the first token has in addition, at consensus",
        "angle": "angle between two tokens [rad]",
        "reached": "time until two tokens are this near",
        "token": "position of a token",
        "rate": "rate at which a token comes back to consensus",
        "layer": "layer",
        "work": "work along a small circle of two angles",
        "work_full": "work along a small circle of two angles, without a mask",
    }

    def check(self) -> None:
        check_that(self.n >= 3, "n >= 3", self.n, "pass n=32")
        check_that(self.angles >= 11, "angles >= 11", self.angles, "pass angles=41")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        # All betas begin alike.
        starts = jax.random.uniform(jax.random.key(self.seed), (self.n,), maxval=2 * jnp.pi)
        ends = _ends(self.angles)
        found = [self._of(kind, cell["beta"], starts, ends) for kind in KINDS]
        of_tokens = ("attention", "bias", "layer")
        axes = {
            "column": of_tokens, "spread": of_tokens, "sink": ("attention", "extra"),
            "rate": ("attention", "token"),
            "reached": ("attention", "angle"), "work": ("attention", "angle"),
        }  # fmt: skip
        angles = 2 * np.arctan(np.exp(ends))
        full = _two(Sinkhorn(cell["beta"], tol=TOL), ends)[1]
        return xr.Dataset(
            {name: (dims, np.stack([f[name] for f in found])) for name, dims in axes.items()}
            | {"work_full": ("angle", full)},
            {
                "attention": list(KINDS), "bias": list(self.biases), "extra": list(self.sinks),
                "layer": np.arange(self.layers + 1), "token": np.arange(1, self.n + 1), "angle": angles,
            },
        )  # fmt: skip

    def _of(self, kind: str, beta: float, starts, ends) -> dict[str, Any]:
        runs = [self._by_layer(_attention(kind, beta, self.n, s), starts) for s in self.biases]
        # As many copies as layers: one program for both.
        alike = jnp.tile(_circle(jnp.zeros(self.n)), (self.layers + 1, 1, 1))
        agreed = [_drawn(_attention(kind, beta, self.n, s), alike) for s in self.sinks]
        reached, work = _two(_attention(kind, beta, 2), ends)
        return {
            "column": np.stack([column for column, _ in runs]),
            "spread": np.stack([jnp.abs(seen).max(axis=1) for _, seen in runs]),
            "sink": np.stack([column[0] for column, _ in agreed]),
            "rate": 1 - agreed[0][1][0],
            "reached": reached,
            "work": work,
        }

    def _by_layer(self, attention: Softmax | Sinkhorn, starts) -> tuple[jax.Array, jax.Array]:
        """What the first token draws, and the angles of all from it, by layer."""
        scheme = TransformerLayers(2, attention, PostNorm(), self.step)
        x = rollout(scheme, _circle(starts), self.layers, observe={"x": state}).values["x"]
        first = x[:, :1]
        sine = first[..., 0] * x[..., 1] - first[..., 1] * x[..., 0]
        return _drawn(attention, x)[0], jnp.arctan2(sine, (first * x).sum(axis=-1))

    def tiny(self) -> "Causeformer":
        return replace(
            self,
            betas=some_of(self.betas, (1.0,)), sinks=some_of(self.sinks, (0.0, 4.0)),
            n=6, layers=60, angles=11,
        )  # fmt: skip

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        ours = dataset.sel(attention="Sinkhorn")
        most = float(causal_columns(self.n)[0])
        exact = 2 * np.log(np.tan(START / 2) / np.tan(dataset.angle / 2))
        # The integral of the curl cos(angle)/2 over the disc.
        around = np.pi * np.sqrt(2) * RADIUS * j1(np.sqrt(2) * RADIUS)
        off = {
            "Sinkhorn: first column off H_n": (ours.column - most, self.n * TOL),
            "Sinkhorn: column at consensus off H_n": (ours.sink - most, self.n * TOL),
            # Row and column sums right to 1e-9, by many layers.
            "Sinkhorn: a bias moves tokens": (ours.spread - ours.spread.isel(bias=0), 1e-6),
            # 1/speed is smooth; weights right to 1e-9 go in, times an angle's range of 7 units of time.
            "Sinkhorn: time of token 2": (ours.reached - exact, 1e-6),
            "Sinkhorn: work off its law": (ours.work - around * np.cos(dataset.angle) / 2, 1e-6),
            "work without a mask": (dataset.work_full, 1e-6),
            "rates off 1 - 1/i": (dataset.rate - (1 - 1 / dataset.token), 1e-6),
        }
        found = [
            Claim.close(name, np.abs(gap).max(skipna=False), 0, slack, OURS)
            for name, (gap, slack) in off.items()
        ]
        return [*found, *self._of_softmax(dataset.sel(attention="softmax"))]

    def _of_softmax(self, at: xr.Dataset) -> list[Claim]:
        limit = (np.exp(at.extra) / (np.exp(at.extra) + at.token - 1)).sum("token")
        gap = np.abs(at.sink - limit).max(skipna=False)
        claims = [
            Claim.close("softmax: sinks at consensus", gap, 0, 1e-10, "sum e^s/(e^s + i - 1)")
        ]
        for beta in self.betas:
            time = at.reached.sel(beta=beta).isel(angle=0)
            exact = _time_of_softmax(beta)
            # An integral of an analytic function by many nodes.
            name, source = f"softmax: time to merge, beta = {beta:g}", "quadrature of a closed form"
            claims.append(Claim.close(name, time, exact, 1e-6 * exact, source))
        for beta, bias in ((b, s) for b in self.betas for s in self.biases):
            end = at.sel(beta=beta, bias=bias).isel(layer=-1)
            total = float((np.exp(bias) / (np.exp(bias) + at.token - 1)).sum())
            # Overlaps are at least cos(2 spread): logits differ by beta (1 - cos) at most, weights by that.
            slack = total * np.expm1(2 * beta * (1 - np.cos(2 * float(end.spread)))) + 1e-9
            if slack < TELLING * total:
                name = f"softmax: column at the end, beta = {beta:g}, bias = {bias:g}"
                claims.append(Claim.close(name, end.column, total, slack, "consensus"))
        return claims


def _attention(kind: str, beta: float, n: int, bias: float = 0.0) -> Softmax | Sinkhorn:
    lower = jnp.tril(jnp.ones((n, n), bool))
    first = jnp.zeros((n, n)).at[:, 0].set(bias)
    mask = jnp.where(lower, first, -jnp.inf)
    if kind == "softmax":
        return Softmax(beta, mask=mask)
    return Sinkhorn(beta, mask=mask, columns=causal_columns(n), tol=TOL, max_iterations=20_000)


def _circle(angles: jax.Array) -> Points:
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)


@jax.jit
def _drawn(attention: Softmax | Sinkhorn, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What the first token draws, and what each draws of itself, of many clouds."""

    def one(each):
        full = attention.plan if isinstance(attention, Sinkhorn) else attention.weights
        weights = full(each)
        return weights[:, 0].sum(), jnp.diag(weights)

    return jax.lax.map(one, x)


@jax.jit
def _velocities(attention: Softmax | Sinkhorn, angles: jax.Array) -> jax.Array:
    """Those of the angles [k, 2] of two tokens."""

    def one(each):
        x = _circle(each)
        return jnp.sum(attention(x) * jnp.stack([-x[:, 1], x[:, 0]], axis=1), axis=1)

    return jax.lax.map(one, angles)


def _ends(count: int) -> np.ndarray:
    """u = log tan(angle/2), evenly from NEAR to START."""
    first, last = np.log(np.tan(np.array([NEAR, START]) / 2))
    return np.linspace(first, last, count)


def _two(attention: Softmax | Sinkhorn, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When two tokens that begin at START have come to each angle, and the work along circles about it.

    The time is an integral over u, d angle = sin(angle) du, by nodes between each two ends.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(ends)[:, None] / 2
    angles = 2 * np.arctan(np.exp(ends[:-1, None] + half * (nodes + 1)))
    lines = np.stack([np.zeros(angles.size), angles.ravel()], axis=1)
    phase = 2 * np.pi * np.arange(NODES) / NODES
    around = RADIUS * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    centers = np.stack([np.zeros(ends.size), 2 * np.arctan(np.exp(ends))], axis=1)
    circles = (centers[:, None] + around).reshape(-1, 2)
    found = np.asarray(_velocities(attention, jnp.asarray(np.concatenate([lines, circles]))))
    paces = np.sin(angles) / -found[: angles.size, 1].reshape(angles.shape)
    spans = (half * weights * paces).sum(axis=1)
    tangents = RADIUS * np.stack([-np.sin(phase), np.cos(phase)], axis=1) * 2 * np.pi / NODES
    work = (found[angles.size :].reshape(ends.size, NODES, 2) * tangents).sum(axis=(1, 2))
    return np.append(np.cumsum(spans[::-1])[::-1], 0.0), work


def _time_of_softmax(beta: float) -> float:
    """From START to NEAR at the speed sin(angle)/(1 + e^{beta (1 - cos(angle))})."""

    def pace(u: float) -> float:
        return 1 + np.exp(beta * (1 - np.cos(2 * np.arctan(np.exp(u)))))

    return quad(pace, *_ends(2), epsabs=0, epsrel=1e-10, limit=200)[0]
