import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_finite, check_known, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from .._precision import in_double


class Survival(AbstractShown):
    """Escape times as an exponential law, and their survival curve.

    - `mean`: of the exponential law; `low` and `high`: its 95 % interval; `escapes`: how many were seen;
    - `times` [n], ascending, and `surviving` [n]: the share that has not escaped just after each, by
      Kaplan and Meier;
    - `deviation`: the largest distance of that curve from e^{-t/mean}. Of an exponential law it is
      about 1/sqrt(escapes) at most.
    """

    mean: Scalar
    low: Scalar
    high: Scalar
    escapes: Int[Array, ""]
    times: Float[Array, " n"]
    surviving: Float[Array, " n"]
    deviation: Scalar


@door
@in_double
def survival(times: Float[Array, " n"], escaped: Bool[Array, " n"] | None = None) -> Survival:
    """The mean escape time of runs, some of which were ended before they escaped.

        mean = sum_i t_i / escapes,    low, high = 2 sum_i t_i / chi2_{.975, .025}(2 escapes + 2, 2 escapes)

    the maximum-likelihood estimate for an exponential law, and its interval: exact where runs end at the
    last escape, and a little too wide where all are at one time.

    - `times` [n]: when each run escaped or was ended, positive.
    - `escaped` [n]: whether it escaped; all, by default. Runs that did not count with the time they
      lasted: to leave them out makes the mean too small.

    Raises ValueError for times that are not positive, and if no run escaped.
    Source: Epstein and Sobel, J. Am. Stat. Assoc. 48 (1953) 486; Kaplan and Meier, ibid. 53 (1958) 457.
    """
    check_known((times, escaped), "times", "call survival outside of jax.jit")
    times = check_finite(times, "times")
    guard(
        times, (times > 0).all(), "expected times > 0, got 0 or less; pass times since the start."
    )
    ended = np.asarray(times, float)
    gone = np.ones(ended.shape, bool) if escaped is None else np.asarray(escaped)
    if gone.shape != ended.shape:
        raise ValueError(
            f"expected escaped of shape {list(ended.shape)}, got {list(gone.shape)}; pass one a time."
        )
    if not gone.any():
        raise ValueError("expected at least one escape, got none; run for longer.")
    number, total = int(gone.sum()), ended.sum()
    low, high = (
        2 * total / scipy.stats.chi2.ppf(p, 2 * number + k) for p, k in ((0.975, 2), (0.025, 0))
    )
    # Of equal times, escapes come first: who was ended then had not escaped before.
    order = np.lexsort((~gone, ended))
    at_risk = ended.size - np.arange(ended.size)
    surviving = np.cumprod(1 - gone[order] / at_risk)
    law = np.exp(-ended[order] * number / total)
    before = np.concatenate([[1.0], surviving[:-1]])
    deviation = np.maximum(np.abs(surviving - law), np.abs(before - law)).max()
    mean, low, high, deviation = map(jnp.asarray, (total / number, low, high, deviation))
    curve = jnp.asarray(ended[order]), jnp.asarray(surviving)
    return Survival(mean, low, high, jnp.asarray(number), *curve, deviation)
