"""Hard attention in flat space, solved exactly between the moments at which a token changes its leader."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.linalg import expm

from ..._checks import as_array, check_cloud, check_finite, check_known, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Matrix, Points

_INSTANT = 4e-15
"""Times, relative to those passed, that are rounding: a crossing that near is now."""
_LONGEST = 0.25
"""The longest step: in a tie of which nothing is known, whether it opens is seen after it."""
_STILL = 1e-13
"""Speeds, relative to the extent of the cloud, below which nothing changes any more."""


class HardmaxPath(AbstractShown):
    """A run of hard attention: states [T, n, d] at `ts`, and each change of leader before the last.

    `times` [E], `tokens` [E], `leaders` [E]: when which token turned to which other one; `followed` [n]: whom
    each token sees in the end.
    """

    ts: Float[Array, " T"]
    states: Float[Array, "T n d"]
    times: Float[Array, " E"]
    tokens: Int[Array, " E"]
    leaders: Int[Array, " E"]
    followed: Int[Array, " n"]


@door
def hardmax_path(x0: Points, ts: Float[Array, " T"], matrix: Matrix | None = None) -> HardmaxPath:
    """The exact run of n tokens in R^d that move toward the one that they see:

    x_i' = x_{s(i)} - x_i,   s(i) = argmax_j <A x_i, x_j>

    Between changes of s it is linear, x(t) = e^{(S-I)t} x(0) with S_{i s(i)} = 1, and so are known the times
    of changes: where <A x_i, x_{s(i)} - x_j> = 0 first, to rounding. A token j that i turns to stays seen for
    a while, as A is positive definite, so that there is no sliding along cells. Ties at the start go to the
    token of smallest index.

    - `x0` [n, d]; `ts` [T]: increasing times from 0 on. `matrix`: A, symmetric and positive definite; I.

    Runs on the host in float64. Raises ValueError for other matrices or times, and in a trace.
    Source: Alcalde, Fantuzzi, Zuazua, arXiv 2407.01602 (which takes steps: x_i + a/(1 + a)(x_{s(i)} - x_i)).
    """
    check_known((x0, ts, matrix), "tokens and times", "call hardmax_path outside of jax.jit")
    x, times = check_finite(check_cloud(x0, "x0"), "x0"), check_finite(as_array(ts, "ts"), "ts")
    increasing = (times[0] >= 0) & (jnp.diff(times) > 0).all()
    guard(times, increasing, "expected increasing times from 0 on; sort ts and drop repeats.")
    start = np.asarray(x, float)
    # The run is the same in all units, but thresholds are in these.
    size = np.abs(start).max() or 1.0
    run = _Run(start / size, _metric(matrix, x.shape[1]))
    states = [size * run.until(t) for t in np.asarray(times, float)]
    events = np.array(run.events, float).reshape(-1, 3)
    return HardmaxPath(
        times,
        jnp.asarray(np.stack(states), x.dtype),
        jnp.asarray(events[:, 0], x.dtype),
        jnp.asarray(events[:, 1].astype(int)),
        jnp.asarray(events[:, 2].astype(int)),
        jnp.asarray(run.followed),
    )


def _metric(matrix, d: int) -> np.ndarray:
    metric = np.eye(d) if matrix is None else np.asarray(matrix, float)
    right = metric.shape == (d, d) and np.array_equal(metric, metric.T)
    if not right or not np.linalg.eigvalsh(metric)[0] > 0:
        raise ValueError(
            f"expected a symmetric positive definite matrix of shape {[d, d]}, got another; pass "
            "a @ a.T + jax.numpy.eye(d)."
        )
    return metric / np.linalg.norm(metric, 2)


class _Run:
    """Tokens x at time t, and whom each follows."""

    def __init__(self, x: np.ndarray, metric: np.ndarray):
        self.x, self.metric, self.t = x, metric, 0.0
        self.followed = (x @ metric @ x.T).argmax(axis=1)
        self.events: list[tuple[float, int, int]] = []

    def until(self, end: float) -> np.ndarray:
        """The tokens at a later time."""
        while self.t < end:
            extent = np.linalg.norm(self.x, axis=1).max()
            speed = np.linalg.norm(self._velocity(self.x), axis=1).max()
            if speed <= _STILL * extent:
                break
            # Tokens stay in their hull, and by more than twice the speed none is ever accelerated: so is
            # bounded how fast a gap bends, and it stays positive for the root of a quadratic at least.
            bend = speed * (8 * extent + 4 * speed)
            gaps, falls = np.maximum(self._gaps(self.x), 0), self._falls(self.x)
            root = np.sqrt(falls**2 + 2 * bend * np.minimum(gaps, 1 / _STILL))
            closing = 2 * gaps / np.where(falls > 0, falls + root, 1)
            waits = np.where(falls > 0, closing, (root - falls) / bend)
            waits = np.where(root > 0, waits, np.inf)  # of tokens in one place none is ever better
            i, j = np.unravel_index(waits.argmin(), waits.shape)
            if waits[i, j] > _INSTANT * (1 + self.t):
                self._move(min(float(waits[i, j]), _LONGEST, end - self.t))
            else:
                self.followed[i] = j
                self.events.append((self.t, int(i), int(j)))
        self.t = max(self.t, end)
        return self.x

    def _move(self, time: float) -> None:
        self.x, self.t = self._after(time), self.t + time

    def _after(self, time: float) -> np.ndarray:
        """The tokens some time later, if none turns."""
        n = len(self.x)
        return expm(time * (np.eye(n)[self.followed] - np.eye(n))) @ self.x

    def _velocity(self, x: np.ndarray) -> np.ndarray:
        return x[self.followed] - x

    def _gaps(self, x: np.ndarray) -> np.ndarray:
        """<A x_i, x_{s(i)} - x_j>, infinite for j = s(i)."""
        return self._differences(x @ self.metric @ x.T, np.inf)

    def _falls(self, x: np.ndarray) -> np.ndarray:
        """The rate at which gaps fall; 0 for j = s(i)."""
        half = self._velocity(x) @ self.metric @ x.T + x @ self.metric @ self._velocity(x).T
        return -self._differences(half, 0.0)

    def _differences(self, scores: np.ndarray, own: float) -> np.ndarray:
        rows = np.arange(len(scores))
        found = scores[rows, self.followed][:, None] - scores
        found[rows, self.followed] = own
        return found
