import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .._checks import check_direction, check_draws, check_nonnegative, check_vector
from .._typing import Key, Points, Scalar, Vectors
from ..geometry import Sphere
from ._base import AbstractMeasure
from ._polar_grid import polar_grid

_ROUNDS = 200
"""Of rejection: one sample in 3^200 would need more."""


class VonMisesFisher(AbstractMeasure):
    """The von Mises-Fisher law on S^{d-1}, concentrated about `mean`.

        rho(x) = e^{kappa (<mean, x> - 1)} / Z,    Z = int e^{kappa (t - 1)} c_d (1 - t^2)^{(d-3)/2} dt,

    a density with respect to the normalized uniform measure: kappa = 0 is uniform, and large kappa
    is a normal law of variance 1/kappa in each tangent direction. mean [d] is a unit vector, kappa
    a number >= 0; both may be traced and batched by vmap.

    The mean resultant E<mean, x> = I_{d/2}(kappa) / I_{d/2-1}(kappa) and the entropy
    log Z + kappa (1 - E<mean, x>) come from one quadrature, to rounding for kappa in [0, 1e4] and d
    in [2, 1000], and are differentiable in kappa. `sample` is differentiable in the mean; its
    derivative in kappa raises, since points of a rejection sampler have none: differentiate
    `log_density` instead.

    Raises ValueError if the mean is not a unit vector, or kappa is negative.

    Source: Mardia and Jupp, Directional Statistics (2000), section 9.3.2.
    """

    geometry: Sphere
    mean: Float[Array, " d"]
    kappa: Scalar

    def __init__(self, mean: Float[Array, " d"], kappa: Float[Array, ""] | float):
        mean = check_vector(mean, "mean")
        self.geometry = Sphere(mean.shape[0])
        self.mean = check_direction(mean, self.d)
        self.kappa = check_nonnegative(kappa, "kappa").astype(mean.dtype)

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        polar, side = jax.random.split(key)
        gap = _sample_gap(polar, _no_derivative(self.kappa), n, self.d)[:, None]
        noise = jax.random.normal(side, (n, self.d), self.mean.dtype)
        mean = jnp.broadcast_to(self.mean, noise.shape)
        across = self.geometry.project(self.geometry.to_tangent(mean, noise))
        x = (1 - gap) * mean + jnp.sqrt(gap * (2 - gap)) * across
        return self.geometry.project(x)

    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        x = self.points(x)
        # kappa (<mean, x> - 1) without the cancellation near the mean.
        offset = -jnp.sum((x - self.mean) ** 2, axis=-1) / 2
        return self.kappa * offset - _log_partition(self.kappa, self.d)[0]

    def entropy(self) -> Scalar:
        log_z, gap = _log_partition(self.kappa, self.d)
        return log_z + self.kappa * gap

    def resultant(self) -> Scalar:
        """E<mean, x> = I_{d/2}(kappa) / I_{d/2-1}(kappa), from 0 (uniform) to 1 (a Dirac mass)."""
        return 1 - _log_partition(self.kappa, self.d)[1]


def _log_partition(kappa: Scalar, d: int) -> tuple[Scalar, Scalar]:
    """log Z and E[1 - <mean, x>]."""
    log_z, gap = _polar_integral(kappa, d)
    return log_z - _polar_integral(jnp.zeros_like(kappa), d)[0], gap


def _polar_integral(kappa: Scalar, d: int) -> tuple[Scalar, Scalar]:
    """log int e^{kappa (t - 1)} (1 - t^2)^{(d-3)/2} dt, and the mean of 1 - t under it.

    With t = tanh s the integrand is e^{kappa (tanh s - 1)} sech(s)^{d-1}, analytic and decaying at
    least like e^{-(d-1)|s|} on the line, so that the trapezoid rule converges exponentially. Its
    mode has sinh(2s) = 2 kappa / (d - 1), and its width there is between 1/sqrt(2(d-1)) and
    1/sqrt(d-1) whatever kappa is: one grid, shifted to the mode, serves every kappa.
    """
    mode = jax.lax.stop_gradient(jnp.arcsinh(2 * kappa / (d - 1)) / 2)
    s = mode + jnp.asarray(polar_grid(d), kappa.dtype)
    gap = 2 * jax.nn.sigmoid(-2 * s)
    log_sech = math.log(2) - jnp.logaddexp(s, -s)
    exponent = (d - 1) * log_sech - kappa * gap
    # The step of the grid cancels in every quotient of two such integrals.
    return jax.nn.logsumexp(exponent), jnp.sum(jax.nn.softmax(exponent) * gap)


@eqx.filter_jit
def _sample_gap(key: Key, kappa: Scalar, n: int, d: int) -> Float[Array, " n"]:
    """n draws of 1 - <mean, x>, by rejection from a transformed uniform point of the sphere.

    It accepts two thirds of its proposals or more, for every d and kappa, and all at kappa = 0: what is
    not accepted after `_ROUNDS`, as for a kappa that is NaN, is NaN.

    Source: Wood (1994), Simulation of the von Mises Fisher distribution, doi:10.1080/03610919408813161.
    """
    m = d - 1
    b = m / (2 * kappa + jnp.hypot(2 * kappa, jnp.asarray(m, kappa.dtype)))
    peak = 2 * b / (1 + b)

    def propose(key: Key) -> tuple[Float[Array, " n"], Bool[Array, " n"]]:
        first, second = jax.random.split(key)
        near = 1 + _uniform_coordinate(first, n, d, kappa.dtype)
        gap = 2 * b * near / (2 - (1 - b) * near)
        # Target over envelope, as the logarithm of its ratio to the largest value, at gap = peak.
        tilt = (1 - b) / (1 + b)
        envelope = m * (jnp.log1p(-tilt * (1 - gap)) - jnp.log1p(-tilt * (1 - peak)))
        log_ratio = envelope - kappa * (gap - peak)
        return gap, log_ratio >= jnp.log(jax.random.uniform(second, (n,), kappa.dtype))

    def again(carry):
        key, gap, done, left = carry
        key, sub = jax.random.split(key)
        new, accepted = propose(sub)
        return key, jnp.where(done, gap, new), done | accepted, left - 1

    start = (key, jnp.zeros(n, kappa.dtype), jnp.zeros(n, bool), _ROUNDS)
    going = lambda carry: ~carry[2].all() & (carry[3] > 0)
    _, gap, done, _ = jax.lax.while_loop(going, again, start)
    return jnp.where(done, gap, jnp.nan)


def _uniform_coordinate(key: Key, n: int, d: int, dtype) -> Float[Array, " n"]:
    """n draws of the first coordinate of a uniform point on S^{d-1}.

    Its projection on a plane has a uniform direction and 1 - radius^2 with law U^{2/(d-2)}.
    """
    turn, hole = jax.random.uniform(key, (2, n), dtype)
    radius = jnp.sqrt(-jnp.expm1(2 / (d - 2) * jnp.log(hole))) if d > 2 else 1.0
    return radius * jnp.cos(2 * math.pi * turn)


@jax.custom_jvp
def _no_derivative(kappa: Scalar) -> Scalar:
    return kappa


@_no_derivative.defjvp
def _refuse(primals, tangents):
    raise ValueError(
        "expected no derivative of VonMisesFisher.sample in kappa, got one; "
        "differentiate log_density at fixed points instead."
    )
