from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from ..._checks import check_integer, check_known, check_scalar
from ..._door import door
from ..._intervals import wilson
from ..._shown import AbstractShown
from ..._typing import Key, Points, Scalar
from ...dynamics import AbstractParticles
from ._ends import continuation, refuse_failures


class Basins(AbstractShown):
    """The outcomes of runs that differ by noise or by their start, the most frequent first.

    - `label` [k, ...]: what each outcome is; `count` [k]: how many runs ended there;
    - `share` [k] of the runs, with `low` and `high` [k], its 95 % interval by Wilson.
    """

    label: Shaped[Array, "k ..."]
    count: Int[Array, " k"]
    share: Float[Array, " k"]
    low: Float[Array, " k"]
    high: Float[Array, " k"]


@door
def basins(
    flow: AbstractParticles,
    x0: Points,
    t_end: Scalar | float,
    key: Key,
    runs: int = 100,
    *,
    start: Scalar | float = 0.0,
    spread: Scalar | float = 0.0,
    label: Callable[[Points], Any] | None = None,
    tolerance: Scalar | float = 1e-2,
    tol: Scalar | float = 1e-6,
    dt: Scalar | float | None = None,
    solver: Any = None,
    args: Any = None,
) -> Basins:
    """The probability of each final clustering of a cloud that is at x0 at time `start`.

        P(outcome) = P(label(x(t_end)) = outcome | x(start) = exp_{x0}(spread xi)),    xi normal

    with 95 % intervals by Wilson, p the share of N runs and z the quantile of the normal law,

        (p + z^2/2N -+ z sqrt(p(1-p)/N + z^2/4N^2)) / (1 + z^2/N)

    They hold for an outcome that is named beforehand, at each number of runs; of the most frequent of
    many outcomes the share is a little too large.

    - `spread`: standard deviation of each tangent coordinate of each token's displacement. Needed by
      a flow without noise: what it does with the start is a decision only if small changes matter.
    - `label`: what is an outcome, a function of the final cloud that returns integers or truth values
      of fixed shape; by default the `clusters` at distance `tolerance`, as the least number in each.
      Choose t_end where clusters have formed; all become one in the end.
    - `dt`, `solver`, `tol`, `args`: those of `simulate`; a flow with noise needs `dt`.

    Raises ValueError if t_end is not after `start`, if runs would all be the same, and under jit;
    SolveError if a run fails.
    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209; Brown, Cai, DasGupta, Stat. Sci. 16 (2001) 101.
    """
    runs = check_integer(runs, "runs")
    x0 = flow.check(x0)
    start, t_end = check_scalar(start, "start"), check_scalar(t_end, "t_end")
    check_known((flow, x0, start, t_end, spread), "a start", "call basins outside of jax.jit")
    if not float(start) < float(t_end):
        raise ValueError(
            f"expected t_end after the start at {float(start):g}, got {float(t_end):g}; raise it."
        )
    go_on = continuation(flow, label, spread, tolerance, tol, dt, solver, args)
    keys = jax.random.split(key, runs)
    first, last = (time.astype(x0.dtype) for time in (start, t_end))
    labels, ok = go_on(first[None], x0[None], last, keys)
    refuse_failures(ok)
    return _counted(np.asarray(labels[0]), x0.dtype)


def _counted(labels: np.ndarray, dtype) -> Basins:
    kinds, count = np.unique(labels, axis=0, return_counts=True)
    order = np.argsort(-count, kind="stable")
    kinds, count = kinds[order], count[order]
    low, high = wilson(count, len(labels))
    numbers = (jnp.asarray(part, dtype) for part in (count / len(labels), low, high))
    return Basins(jnp.asarray(kinds), jnp.asarray(count), *numbers)
