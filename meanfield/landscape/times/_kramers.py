import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_known, check_positive, tolerance
from ..._door import door
from ..._typing import Points, Scalar
from ...energies import AbstractEnergy
from ...geometry import Sphere
from .._precision import in_double
from ..clouds import escape_rates, orbit, symmetries


@door
@in_double
def kramers_time(
    energy: AbstractEnergy,
    minimum: Points,
    saddle: Points,
    noise: Scalar | float,
    *,
    ways: Scalar | float = 1.0,
) -> Scalar:
    """The mean time that n tokens need over a saddle, by the law of Eyring and Kramers.

        1/T = ways V l/(2 pi) sqrt(prod |l_min| / prod |l_saddle|) e^{-n (E(saddle) - E(minimum))/noise}

    of x_i' = -n grad_i E + sqrt(2 noise) dB_i, the `GradientFlow` of equal masses, whose linear rates
    l are `escape_rates`, with l > 0 the rate at which the saddle is left. Rotations that change nothing
    have no rate: they are left out, and V is the volume of the saddle's orbit over that of the minimum.

    - `energy`: one that the flow descends, `-Interaction(beta)` for attention.
    - `minimum`, `saddle`: stationary clouds [n, d] of index 0 and 1, as `mf.landscape.saddle` finds them.
    - `ways`: over how many such saddles the minimum is left, 2 for one token on the circle.

    Right as noise -> 0, with an error of order noise. For one token on the circle in -(h/2) cos 2 theta
    at noise 1 and two ways it is pi e^h/(2 h); `passage_time` is exact.

    Raises ValueError for clouds of another index, with more flat directions than rotations, or whose
    orbits have different dimensions.
    Source: Bovier, Eckhoff, Gayrard, Klein, J. Eur. Math. Soc. 6 (2004) 399, doi 10.4171/JEMS/14.
    """
    noise = check_positive(noise, "noise")
    ways, sphere = check_positive(ways, "ways"), Sphere(minimum.shape[1])
    minimum, saddle = sphere.check(minimum), sphere.check(saddle)
    check_known((energy, minimum, saddle), "clouds", "call kramers_time outside of jax.jit")
    if minimum.shape != saddle.shape:
        raise ValueError(
            f"expected a saddle of shape {list(minimum.shape)}, got {list(saddle.shape)}; "
            "pass two clouds of as many tokens."
        )
    algebra = symmetries(energy, *minimum.shape)
    low, valley, orbit = _spectrum(energy, minimum, algebra, 0, "minimum")
    high, pass_, orbits = _spectrum(energy, saddle, algebra, 1, "saddle")
    if len(valley) != len(pass_):
        raise ValueError(
            "expected a minimum and a saddle with as many rotations that change them, got "
            f"{minimum.size - len(minimum) - len(valley)} and {saddle.size - len(saddle) - len(pass_)}; "
            "their times have another power of the noise: use simulate."
        )
    logs = jnp.log(jnp.abs(valley)).sum() - jnp.log(jnp.abs(pass_)).sum()
    rate = ways * pass_[0] / (2 * jnp.pi) * jnp.exp(logs / 2) * orbits / orbit
    return jnp.exp(len(minimum) * (high - low) / noise) / rate


def _spectrum(
    energy: AbstractEnergy, x: Points, algebra: Float[Array, "s d d"], index: int, name: str
) -> tuple[Scalar, Float[Array, " m"], Scalar]:
    """The energy, the rates of all but rotations, descending, and the volume of the orbit."""
    rates = escape_rates(energy, x)
    zero = tolerance(x.dtype) * jnp.abs(rates).max()
    dimension, volume = orbit(x, algebra)
    found, flat = int((rates > zero).sum()), int((jnp.abs(rates) <= zero).sum())
    slope = Sphere(x.shape[1]).to_tangent(x, energy.wasserstein_gradient(x))
    if found != index or flat != dimension or not bool(jnp.abs(slope).max() <= zero**0.5):
        raise ValueError(
            f"expected a stationary {name} of index {index} with {dimension} flat directions, its "
            f"rotations, got index {found} with {flat}; use mf.landscape.saddle(energy, x0, {index})."
        )
    return energy(x), rates[jnp.abs(rates) > zero], volume
