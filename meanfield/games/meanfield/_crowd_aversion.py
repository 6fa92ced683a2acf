import jax.numpy as jnp

from ..._checks import check_nonnegative, check_positive
from ..._door import door
from ..._typing import Scalar


@door
def crowd_aversion(
    running: Scalar | float, noise: Scalar | float, coupling: Scalar | float
) -> Scalar:
    """The gain P of players on the line who are held by a spring and avoid each other.

        cost |a|^2/2 + (running/2) x^2 + coupling log m(x),    dX = a dt + sqrt(2 noise) dB
        P = (-coupling/noise + sqrt((coupling/noise)^2 + 4 running))/2

    The value is P x^2/2, the law N(0, noise/P): coupling > 0, an aversion to crowds, spreads them.
    running 1, noise .5 and coupling .25 have P = .780776. Players on the circle and on spheres, who feel
    an attention beside, are those of `MeanFieldGame(..., aversion=coupling)`.

    - `running`: the strength of the spring, > 0. `noise`: > 0. `coupling`: >= 0.

    Source: Gueant, Lasry, Lions (2011), doi:10.1007/978-3-642-14660-2_3; derived here.
    """
    running = check_positive(running, "running", "pass running=1.0")
    ratio = check_nonnegative(coupling, "coupling") / check_positive(
        noise, "noise", "pass noise=1.0"
    )
    # Not the difference of two large numbers.
    return 2 * running / (ratio + jnp.hypot(ratio, 2 * jnp.sqrt(running)))
