import jax.numpy as jnp
import numpy as np
from scipy.interpolate import CubicHermiteSpline, CubicSpline

from ..._checks import check_integer, check_scalar
from ..._door import door
from ..._typing import Scalar
from .._precision import in_double
from ..densities import Barrier
from ._passage import log_mean_time

_PANELS = 128


@door
@in_double
def escape_time(barrier: Barrier, n: int, target: Scalar | float | None = None) -> Scalar:
    """The mean time that n tokens need from the uniform law to a mean resultant `target`, by one dimension.

        T = int_0^target dr/(D p) int_0^r p,    D = noise M(r)/n,    p = r^{d-1} e^{-n F*(r)/noise}

    with F* and the mobility M = <1 - t^2> of the barrier's profile, and the volume r^{d-1} of the
    directions of the mean. `target` is the cluster's resultant by default. On the circle at beta = 5,
    noise = 5.3197, to r > .7: 7.28 tokens' time at n = 100, 16.8 at 200, 31.9 at 300, 59.0 at 400.
    The other coordinates follow the mean: that they fluctuate, and lag, adds a factor that is near 1 but
    does not tend to it: there 1.037 at n = 100, and 1.009 at 8,000.

    Raises ValueError for a target that is not between 0 and the end of the profile.
    Source: Gardiner, Handbook of Stochastic Methods (1985), section 5.2.7, for the integral.
    """
    n, profile = check_integer(n, "n", 2), barrier.profile
    target = float(barrier.cluster if target is None else check_scalar(target, "target"))
    if not 0 < target <= float(profile.order[-1]):
        raise ValueError(
            f"expected 0 < target <= {float(profile.order[-1]):.4g}, got {target:.4g}; leave it out for "
            "the cluster."
        )
    r, free, slope, mobility = map(np.asarray, (
        profile.order, profile.free_energy, profile.slope, profile.mobility
    ))  # fmt: skip
    level = CubicHermiteSpline(r, free, slope)
    mobilities = CubicSpline(r, mobility)
    log_density = lambda x: (barrier.d - 1) * np.log(x) - n * level(x)
    diffusion = lambda x: float(barrier.noise) / n * mobilities(x)
    return jnp.exp(jnp.asarray(log_mean_time(log_density, diffusion, 0.0, target, 0.0, _PANELS)))
