from dataclasses import dataclass, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ...attention.kernels import L2, Sinkhorn, Softmax
from ...dynamics.reductions import GaussianFlow, Normal
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, some_of

SOURCE = "Castin, Ablin, Carrillo, Peyre, arXiv 2501.18322, and calculus for V = I"
KINDS = {"softmax": Softmax, "L2": L2, "Sinkhorn": Sinkhorn}
MIXING = np.array([[0.9, -0.4], [0.5, 0.7]])
ROW = np.array([[1.0, 0.5]])
SHEAR = np.array([[1.0, 0.3], [-0.3, 0.6]])
REGIMES: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {
    "to zero": (MIXING, -MIXING, np.array([[1.0, 0.3], [0.3, 0.8]])),
    "to a line": (ROW, -ROW, np.eye(2)),
    "blow-up": (SHEAR, np.eye(2), np.eye(2)),
}
"""Query, key and value: V > 0 and A = -Q^T Q; the same of rank one; A + A^T > 0."""


@dataclass(frozen=True, kw_only=True)
class Covariances(AbstractCellwiseStudy):
    """Covariance of a Gaussian cloud under softmax, L2 and Sinkhorn attention: to 0, a line, or blow-up.

    Covariances S(t) of closed equations from a grid of starts, over (attention, regime, start, time), as
    `cov`; NaN after a blow-up, whose time is `reached`, elsewhere `t_end`. With V = I softmax has

        S(t)^{-1} = S_0^{-1} - t (A + A^T),

    exactly: S blows up at 1/lambda_max(S_0^{1/2} (A + A^T) S_0^{1/2}), and where A is -Q^T Q with Q of rank
    one it falls to the line on which Q x = 0. L2 and Sinkhorn attention only grow exponentially.

    Source: Castin, Ablin, Carrillo, Peyre, arXiv 2501.18322.
    """

    attentions: tuple[str, ...] = ("softmax", "L2", "Sinkhorn")
    """Kinds of attention."""
    regimes: tuple[str, ...] = ("to zero", "to a line", "blow-up")
    """Matrices of the attention."""
    t_end: float = 8.0
    """Final time, a fifth of it where a blow-up is expected."""
    times: int = 81
    """Times that are kept."""

    GRID: ClassVar = {"attention": "attentions", "regime": "regimes"}
    QUANTITIES: ClassVar = {
        "cov": "covariance",
        "reached": "time of the blow-up, else the end",
        "t": "time",
        "regime": "matrices of the attention",
        "start": "start",
    }

    def compute(self, cell: dict) -> xr.Dataset:
        query, key, value = (jnp.asarray(m) for m in REGIMES[cell["regime"]])
        flow = GaussianFlow(KINDS[cell["attention"]](1.0, query, key, value))
        ts = jnp.linspace(0.0, self._end(cell["regime"]), self.times)
        cov, reached = _paths(flow, jnp.asarray(starts()), ts)
        cov = np.where(np.asarray(ts <= reached[:, None])[..., None, None], cov, np.nan)
        return xr.Dataset(
            {
                "cov": (("start", "time", "row", "column"), cov),
                "reached": ("start", reached),
                "t": ("time", ts),
            }
        )

    def tiny(self) -> "Covariances":
        attentions = some_of(self.attentions, ("softmax",))
        regimes = some_of(self.regimes, ("to a line", "blow-up"))
        return replace(self, attentions=attentions, regimes=regimes, times=9)

    def claims_at(self, cell: dict[str, Any], one: xr.Dataset) -> list[Claim]:
        made = []
        title = f"{cell['attention']}, {cell['regime']}"
        if cell["regime"] != "blow-up":
            made += _collapse(one, cell["regime"], title)
        elif cell["attention"] == "softmax":
            # The last steps are those of the tolerance.
            off = np.abs(one.reached.values / _blow_up() - 1).max()
            made.append(Claim.at_most(f"{title}: time of the blow-up", off, 1e-5, SOURCE))
        else:
            alive = (one.reached >= self._end("blow-up")).all()
            made.append(Claim.holds(f"{title}: there is none", alive, SOURCE))
        if cell["attention"] == "softmax" and cell["regime"] != "to zero":
            off = _inverse_law(one, cell["regime"])
            made.append(Claim.at_most(f"{title}: inverse of S linear in t", off, 1e-5, SOURCE))
        return made

    def _end(self, regime: str) -> float:
        return self.t_end / 5 if regime == "blow-up" else self.t_end


def starts() -> np.ndarray:
    """Covariances of trace 1, 2 and 3, round and long in eight directions, [m, 2, 2]."""
    turn = np.arange(8) * np.pi / 4
    made = [
        half
        * np.array([[1 + 0.8 * np.cos(a), 0.8 * np.sin(a)], [0.8 * np.sin(a), 1 - 0.8 * np.cos(a)]])
        for half in (0.5, 1.0)
        for a in turn
    ]
    return np.array([*made, 1.5 * np.eye(2)])


@eqx.filter_jit
def _paths(flow: GaussianFlow, covs: Float[Array, "m 2 2"], ts: Float[Array, " T"]):
    """The covariances [m, T, 2, 2], and the times that were reached."""

    def one(cov):
        start: Normal = (jnp.zeros(2), cov)
        run = simulate(flow, start, ts, observe={"cov": _cov}, tol=1e-9, throw=False)
        return run.values["cov"], run.reached

    return jax.vmap(one)(covs)


def _cov(state: Normal) -> Float[Array, "2 2"]:
    return state[1]


def _logits(regime: str) -> np.ndarray:
    query, key, _ = REGIMES[regime]
    a = key.T @ query
    return a + a.T


def _blow_up() -> np.ndarray:
    """The times at which softmax blows up, [m]."""
    roots = np.linalg.cholesky(starts())
    inner = np.swapaxes(roots, 1, 2) @ _logits("blow-up") @ roots
    return 1 / np.linalg.eigvalsh(inner)[:, -1]


def _inverse_law(one: xr.Dataset, regime: str) -> float:
    """The largest error of S(t), relative, while t is below 9/10 of the blow-up."""
    t = one.t.values
    inverse = np.linalg.inv(starts())[:, None] - t[:, None, None] * _logits(regime)
    exact, found = np.linalg.inv(inverse), one["cov"].values
    seen = t <= (0.9 * _blow_up() if regime == "blow-up" else np.full(len(found), np.inf))[:, None]
    size = np.linalg.norm(exact, axis=(2, 3))
    return float((np.linalg.norm(found - exact, axis=(2, 3)) / size)[seen].max())


def _collapse(one: xr.Dataset, regime: str, title: str) -> list[Claim]:
    """Eigenvalues at the end over those at the start: the smaller one falls, or both do."""
    spread = np.linalg.eigvalsh(one["cov"].values[:, [0, -1]])  # [m, 2, 2]
    # Along each direction that vanishes 1/S grows at a rate of one or two: V and A are of order one.
    small, large = spread[:, 1, 0].max(), spread[:, 1, 1]
    made = [Claim.at_most(f"{title}: smaller variance at the end", small, 0.15, SOURCE)]
    if regime == "to zero":
        return [
            *made,
            Claim.at_most(f"{title}: larger variance at the end", large.max(), 0.5, SOURCE),
        ]
    # What is left on the line is 1/(u S_0^{-1} u), at least the least eigenvalue of all starts.
    least = np.linalg.eigvalsh(starts())[:, 0].min()
    return [
        *made,
        Claim.at_least(f"{title}: larger variance at the end", large.min(), least, SOURCE),
    ]
