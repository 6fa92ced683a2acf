from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..._checks import (
    as_array,
    check_finite,
    check_integer,
    check_known,
    check_positive,
)
from ..._door import door
from ..._intervals import Z95, wilson
from ..._shown import AbstractShown
from ..._typing import Key, Points, Scalar
from ...dynamics import AbstractParticles
from ...solve import SolveError
from ._first_hits import FAILED, IN_A, IN_B, Level, Ways, first_hits, is_in, lanes_for, level_at
from ._logistic import Fit, Worth, logistic, worth

_ENDED = 0.99
"""The share of runs that are to end in A or B: those that do not may not be like those that do."""


class RunCommittor(AbstractShown):
    """A committor that was fitted to the ends of runs: `q(x)` of clouds x [..., n, d].

    - `share` [m] of the runs from each start that entered B first, with `low` and `high` [m], its 95 %
      interval by Wilson, and NaN where none ended: the committor there, of which no fit knows;
    - `ended`: the share of all runs that entered A or B in time;
    - `brier`: the mean of (q - outcome)^2 for starts that were left out of the fit, by fifths, and
      `climatology`: that of a q which is the same everywhere; a fit that tells nothing has as much;
    - `misfit`: the mean of (q - committor)^2, what is left of `brier` when the chance of outcomes is taken
      off; right on average, and so it may be negative; `misfit_error`, its standard error; NaN of one run
      a start;
    - `predicted`, `observed`, `observed_low`, `observed_high` [groups]: starts that were left out, by q in
      ten groups: mean q, the share of B, and its 95 % interval;
    - `converged`: whether runs ended in both sets, 99 % of all in time, none failed, and the fit
      converged.
    """

    sets: tuple[Callable, Callable]
    features: Callable | None
    center: Float[Array, " p"]
    scale: Float[Array, " p"]
    coefficients: Float[Array, " p+1"]
    covariances: Float[Array, "2 p+1 p+1"]
    share: Float[Array, " m"]
    low: Float[Array, " m"]
    high: Float[Array, " m"]
    ended: Scalar
    brier: Scalar
    climatology: Scalar
    misfit: Scalar
    misfit_error: Scalar
    predicted: Float[Array, " groups"]
    observed: Float[Array, " groups"]
    observed_low: Float[Array, " groups"]
    observed_high: Float[Array, " groups"]
    converged: Bool[Array, ""]

    @door
    def __call__(self, x: Float[Array, "*batch n d"]) -> Float[Array, "*batch"]:
        """The probability to enter B before A: 0 in A and 1 in B."""
        return self._of(x, 0.0)

    @door
    def interval(
        self, x: Float[Array, "*batch n d"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
        """The 95 % interval of q by chance, by the larger of two variances: that of outcomes, and that
        from start to start; it covers a little more often. What features leave out is not in it, see
        `misfit`."""
        return self._of(x, -Z95), self._of(x, Z95)

    @eqx.filter_jit
    def _of(self, x: Array, errors: float) -> Array:
        def one(x: Points):
            z = (_features(self.sets, self.features, x) - self.center) / self.scale
            z = jnp.append(jnp.ones((), z.dtype), z)
            eta = z @ self.coefficients
            if errors:
                variance = (self.covariances @ z @ z).max()
                eta += errors * jnp.sqrt(jnp.maximum(variance, 0))
            inside = [is_in(level, x) for level in self.sets]
            return jnp.where(inside[1], 1, jnp.where(inside[0], 0, jax.nn.sigmoid(eta)))

        batch = x.shape[:-2]
        return jax.vmap(one)(x.reshape(-1, *x.shape[-2:])).reshape(batch)


@door
def committor_by_runs(
    flow: AbstractParticles,
    starts: Float[Array, "m n d"],
    a: Callable[[Points], Any],
    b: Callable[[Points], Any],
    key: Key,
    *,
    t_end: Scalar | float,
    dt: Scalar | float,
    runs: int = 10,
    features: Callable[[Points], Any] | None = None,
    ridge: Scalar | float = 1.0,
    args: Any = None,
    throw: bool = True,
) -> RunCommittor:
    """The committor of a noisy flow of n tokens on any geometry, by regression on the ends of runs.

        q(x) = P(B before A | x(0) = x) = 1/(1 + e^{-theta . phi(x)}),    phi = (1, log(-a), log(-b), ...)

    with theta of largest likelihood less `ridge` |theta|^2/2, for features of variance one among the starts.

    - `starts` [m, n, d]: clouds between A and B; those within tell nothing. Spread them over what q is
      asked of, ten or more times as many as there are features, such as states of a run.
    - `a`, `b`: which clouds are in A and in B: functions with one value, a number >= 0 there, such as
      `lambda x: r(x) - 0.7`, or a truth value. Of numbers it is told whether a path crosses zero within a
      step, to order dt; truth values are looked at after steps alone, which errs by the root of dt.
    - `t_end`: when a run ends at the latest; `dt`: the step. Geodesic steps of Heun's kind.
    - `runs`: from each start. Two or more tell how far q is from the committor, by `misfit`.
    - `features`: numbers of a cloud of which log q/(1-q) is linear, such as an order parameter and its
      square; by default a, b, a^2, ab and b^2. Logarithms of -a and -b, of numbers, are always
      added: q vanishes at A in proportion to a.
    - `args`: those of `simulate`; the drift is that at time 0.
    - `throw`: False returns what did not work, with `converged` false.

    Raises ValueError for a flow without noise, fewer than two starts between A and B, and truth values
    without features; SolveError if a run fails, fewer than 99 % end, or all end in one set.
    Source: E and Vanden-Eijnden, Annu. Rev. Phys. Chem. 61 (2010) 391, for committors; Peters and Trout,
    J. Chem. Phys. 125 (2006) 054108, for their likelihood; Gobet, Stoch. Process. Appl. 87 (2000) 167, for
    paths that return within a step.
    """
    runs = check_integer(runs, "runs")
    t_end, dt = check_positive(t_end, "t_end"), check_positive(dt, "dt")
    ridge = float(check_positive(ridge, "ridge"))
    known = (flow, starts, t_end, dt, args)
    check_known(known, "starts", "call committor_by_runs outside of jax.jit")
    flow, starts, noise = _checked(flow, check_finite(starts, "starts"))
    between, told = _between(starts, (a, b), features)
    most = jnp.asarray(int(np.ceil(float(t_end) / float(dt) - 1e-6)))
    ways = Ways(flow, noise, (a, b), dt.astype(starts.dtype), most, args)
    lanes = lanes_for(runs * len(between), starts.shape[1])
    ends = np.asarray(first_hits(ways, starts[between], runs, lanes, key))
    return _fitted(ends, between, told, (a, b), features, ridge, starts, throw)


def _checked(flow: AbstractParticles, starts: Array) -> tuple[AbstractParticles, Array, Scalar]:
    """The flow and its noise in the precision of the starts, if they fit it."""
    if flow.noise is None or not bool(flow.noise > 0):
        raise ValueError(
            "expected a flow with noise, got one without; pass noise=0.1, say, or use basins with spread."
        )
    flow.check(starts[0])
    m, n, d = starts.shape
    flow.geometry.check(starts.reshape(m * n, d), "starts")
    prepared = flow.prepared(starts.dtype)
    assert isinstance(prepared, AbstractParticles)
    return prepared, starts, flow.noise.astype(starts.dtype)


def _between(starts: Array, sets: tuple[Level, Level], features):
    """Which starts are in neither set [m], and the features there."""
    in_a, in_b = (np.asarray(jax.vmap(lambda x, f=f: is_in(f, x))(starts)) for f in sets)
    between = np.flatnonzero(~(in_a | in_b))
    if between.size < 2 or (in_a & in_b).any():
        raise ValueError(
            f"expected two or more starts between A and B, got {between.size} of {len(starts)}, and "
            f"{(in_a & in_b).sum()} in both; pass sets that are apart, and starts between them."
        )
    told = np.asarray(_many_features(sets, features, starts[between]), float)
    if told.shape[1] == 0 or not np.isfinite(told).all():
        raise ValueError(
            "expected finite features of each start, got none, NaN or infinity; pass features, which sets "
            "of truth values need, that are finite between A and B."
        )
    return between, told


@eqx.filter_jit
def _many_features(sets: tuple[Level, Level], features, x: Float[Array, "m n d"]):
    return jax.vmap(lambda x: _features(sets, features, x))(x)


def _features(sets: tuple[Level, Level], features: Callable | None, x: Points) -> Array:
    """All features of a cloud but the constant."""
    levels = [level_at(level, x) for level in sets]
    values = [value.astype(x.dtype) for value in levels if value.dtype != bool]
    tiny = jnp.finfo(x.dtype).tiny
    logs = [jnp.log(jnp.maximum(-value, tiny)) for value in values]
    if features is not None:
        own = jax.tree.leaves(features(x))
        values = [as_array(part, "a feature").astype(x.dtype).ravel() for part in own]
    else:
        values += [one * other for i, one in enumerate(values) for other in values[i:]]
    return jnp.concatenate([jnp.zeros(0, x.dtype), *map(jnp.atleast_1d, logs + values)])


def _fitted(ends, between, told, sets, features, ridge, starts, throw) -> RunCommittor:
    hits, trials = (ends == IN_B).sum(axis=1), ((ends == IN_A) | (ends == IN_B)).sum(axis=1)
    wrong = _what_is_wrong(ends)
    if throw and wrong:
        raise SolveError(wrong)
    some = trials > 0
    fit, scores = _nothing(told.shape[1])
    if some.sum() > 1:
        fit = logistic(told[some], hits[some], trials[some], ridge)
        scores = worth(told[some], hits[some], trials[some], ridge)
    if throw and not fit.converged:
        raise SolveError("the regression did not converge: raise ridge, or pass fewer features.")
    share = np.asarray(jax.vmap(lambda x: is_in(sets[1], x))(starts), float)
    low, high = share.copy(), share.copy()
    with np.errstate(invalid="ignore", divide="ignore"):
        share[between] = hits / trials
        low[between], high[between] = wilson(hits, trials)
        observed = scores.hits / scores.trials, *wilson(scores.hits, scores.trials)
    numbers = (
        fit.center, fit.scale, fit.coefficients, fit.covariances, share, low, high,
        trials.sum() / ends.size, scores.brier, scores.climatology, scores.misfit,
        scores.misfit_error, scores.predicted, *observed,
    )  # fmt: skip
    rounded = [jnp.asarray(number, starts.dtype) for number in numbers]
    converged = jnp.asarray(fit.converged and not wrong)
    return RunCommittor(sets, features, *rounded, converged=converged)


def _what_is_wrong(ends: np.ndarray) -> str:
    """Why the ends of runs say too little, or nothing."""
    failed, hits = (ends == FAILED).sum(), (ends == IN_B).sum()
    ended = hits + (ends == IN_A).sum()
    if failed:
        return (
            f"{failed} of {ends.size} runs failed; pass a smaller dt, or run simulate to see why."
        )
    if ended < _ENDED * ends.size:
        return (
            f"{ended} of {ends.size} runs entered A or B in time, and those that did not may differ from "
            "them: raise t_end."
        )
    if hits in (0, ended):
        return (
            f"all runs entered {'A' if hits == 0 else 'B'} first: start nearer to the other set, or pass "
            "more runs."
        )
    return ""


def _nothing(p: int) -> tuple[Fit, Worth]:
    """What is known of too few runs."""
    none = lambda *shape: np.full(shape, np.nan)
    fit = Fit(none(p), none(p), none(p + 1), none(2, p + 1, p + 1), False)
    return fit, Worth(np.nan, np.nan, np.nan, np.nan, none(1), none(1), none(1))
