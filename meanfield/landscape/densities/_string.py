import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_integer, check_positive, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...dynamics.densities import FokkerPlanck
from ...energies import AbstractEnergy
from ._stationary import Stationary, stationary

_BETWEEN = 5
"""Steps of the flow between two times that the images are spread anew."""


class String(AbstractShown):
    """A minimum-energy path between two densities, and the saddle on it.

    `coeffs` [m, k]: images at equal distances in L^2; `energy` [m]; `saddle` [k]: the stationary
    density near the highest image; `height`: its energy over that of the first image; `converged`:
    whether the highest image lies between the ends and Newton's method found a saddle beside it.
    """

    coeffs: Float[Array, "m k"]
    energy: Float[Array, " m"]
    saddle: Float[Array, " k"]
    height: Scalar
    converged: Bool[Array, ""]


@door
def string(
    equation: FokkerPlanck,
    energy: AbstractEnergy,
    start: Float[Array, " k"],
    end: Float[Array, " k"],
    *,
    images: int = 33,
    time: Scalar | float = 10.0,
    dt: Scalar | float = 2e-3,
) -> String:
    """The minimum-energy path between two stable densities, by the string method.

        c_i' = drift(c_i),    |c_{i+1} - c_i| equal for all i

    Each image goes down the flow, and all are spread anew along the string: it comes to rest on the
    orbits that lead from the saddle to both ends. Newton's method finds the saddle from the
    highest image.

    - `energy`: what the flow descends, such as `free_energy(beta, noise)`.
    - `start`, `end`: coefficients [k] in the basis of the equation, such as `stationary(...).coeffs`.
    - `images` on the string; `time` of the flow, some times that of the slowest mode; `dt`: its steps,
      in which diffusion is implicit. Images that meet no saddle leave `converged` False.

    Raises ValueError for times that are not positive or fewer than 5 images.
    Source: E, Ren, Vanden-Eijnden, J. Chem. Phys. 126 (2007) 164103, doi 10.1063/1.2720838.
    """
    start, end = equation.check(start), equation.check(end)
    time, dt = check_positive(time, "time"), check_positive(dt, "dt")
    guard(time, time >= _BETWEEN * dt, "expected time >= 5 dt; pass a longer time.")
    images = check_integer(images, "images", 5)
    rounds = check_integer(round(float(time / dt) / _BETWEEN), "rounds")
    share = jnp.linspace(0, 1, images, dtype=start.dtype)[:, None]
    string = _relaxed(equation, (1 - share) * start + share * end, dt.astype(start.dtype), rounds)
    values = _values(equation, energy, string)
    highest = jnp.argmax(values[1:-1]) + 1
    found = stationary(equation, string[highest], throw=False)
    return _with_saddle(equation, energy, string, values, found)


def _with_saddle(equation, energy, string, values, found: Stationary) -> String:
    top = energy.on_density(equation.basis, found.coeffs)
    # Newton's method from far away may end at a state that is no saddle of this path.
    inside = (values[1:-1].max() > values[0]) & (values[1:-1].max() > values[-1])
    distances = jnp.linalg.norm(string - found.coeffs, axis=1)
    gap = jnp.linalg.norm(string[1] - string[0])
    near = (distances.min() < gap) & (top >= values.max() - jnp.abs(values.max() - values[0]) / 10)
    return String(string, values, found.coeffs, top - values[0], found.converged & inside & near)


@eqx.filter_jit
def _values(equation: FokkerPlanck, energy: AbstractEnergy, string: Array) -> Array:
    return jax.lax.map(lambda c: energy.on_density(equation.basis, c), string)


@eqx.filter_jit
def _relaxed(equation: FokkerPlanck, string: Array, dt: Scalar, rounds: int) -> Array:
    damping = equation.damping(string.dtype)
    zero = jnp.zeros((), string.dtype)

    def step(c: Array) -> Array:
        rate = equation.drift(zero, c, None) + damping * c
        return (c + dt * rate) / (1 + dt * damping)

    def round_of(images, _):
        inner = images
        for _ in range(_BETWEEN):
            inner = jax.vmap(step)(inner)
        moved = jnp.concatenate([images[:1], inner[1:-1], images[-1:]])
        return _spread(moved), None

    return jax.lax.scan(round_of, string, None, length=rounds)[0]


def _spread(images: Float[Array, "m k"]) -> Float[Array, "m k"]:
    """The images at equal distances along the line through them."""
    gaps = jnp.linalg.norm(jnp.diff(images, axis=0), axis=1)
    along = jnp.concatenate([jnp.zeros(1, images.dtype), jnp.cumsum(gaps)])
    even = jnp.linspace(0, 1, len(images), dtype=images.dtype) * along[-1]
    return jax.vmap(lambda row: jnp.interp(even, along, row), 1, 1)(images)
