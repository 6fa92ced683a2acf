import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.optimize import linear_sum_assignment

from ..._checks import check_integer, check_known, check_positive, guard
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Points, Scalar, Weights
from ...energies import AbstractEnergy
from ...geometry import Sphere
from ...transport.costs import weights_or_uniform
from ._search import CriticalPoint, search
from ._symmetries import symmetries

_CLIMB = 300
"""Steps that the highest image may climb."""
_MOVES = 0.02
"""The speed of images at the end, over the largest slope, above which a string has not settled."""
_OPPOSITE = 1e-6
"""How near to its antipode a token may not be sent, for want of a shortest way."""


class CloudString(AbstractShown):
    """A minimum-energy path between two clouds, and the saddle on it.

    `x` [m, n, d]: images at equal distances; `arc` [m]: the length of the path up to each, in W2;
    `energy` [m]; `saddle`: the stationary cloud to which the highest image climbed; `height`: its energy
    over that of the first image; `converged`: whether images have come to rest, the highest lies between
    the ends, and the saddle, of index 1, lies no farther from an image than two of these do.
    """

    x: Float[Array, "m n d"]
    arc: Float[Array, " m"]
    energy: Float[Array, " m"]
    saddle: CriticalPoint
    height: Scalar
    converged: Bool[Array, ""]


@door
def cloud_string(
    energy: AbstractEnergy,
    start: Points,
    end: Points,
    w: Weights | None = None,
    *,
    images: int = 17,
    time: Scalar | float = 100.0,
    dt: Scalar | float = 0.1,
) -> CloudString:
    """The minimum-energy path between two stable clouds [n, d] on the sphere, by the string method.

        x_i' = -grad E(x_i),    d(x_i, x_{i+1}) equal for all i,    d(x, y)^2 = sum_j w_j angle(x_j, y_j)^2

    with grad E in the metric sum_j w_j |v_j|^2, as of `GradientFlow`, in which nearby images are d = W2
    apart. The images go down, and are spread anew along geodesics; then the highest one climbs, by the
    dynamics of `saddle` of index 1, which go up in the softest direction and down in all others.

    - `start`, `end`: clouds at rest. Equal tokens of `end` are renamed by optimal transport from `start`;
      where `w` is given each keeps its name. The path begins along geodesics.
    - `images` on the string; `time` of the flow, some times that of the slowest rate of `escape_rates`;
      `dt`: its steps, below 2 over the largest.

    A path that begins on a ridge, by a symmetry, stays there and leaves `converged` False: turn one end a
    little. Of several saddles on a path it is the highest.

    Raises ValueError for tokens that go to their antipodes, fewer than 5 images, times that are not
    positive, and under jit.
    Source: E, Ren, Vanden-Eijnden, J. Chem. Phys. 126 (2007) 164103, doi 10.1063/1.2720838; Ren,
    Vanden-Eijnden, J. Chem. Phys. 138 (2013) 134105, doi 10.1063/1.4798344, for the climb.
    """
    start, end, w = _checked(energy, start, end, w)
    time, dt = check_positive(time, "time"), check_positive(dt, "dt")
    guard(time, time >= dt, "expected time >= dt; pass a longer time.")
    images = check_integer(images, "images", 5)
    steps = check_integer(round(float(time / dt)), "steps")
    algebra = symmetries(energy, len(start), start.shape[1], w).astype(start.dtype)
    return _path(energy, start, end, w, algebra, dt.astype(start.dtype), images, steps)


def _checked(energy: AbstractEnergy, start: Points, end: Points, w: Weights | None):
    sphere = Sphere(start.shape[1])
    start, end = sphere.check(start, "start"), sphere.check(end, "end")
    check_known((energy, start, end, w), "clouds", "call cloud_string outside of jax.jit")
    if start.shape != end.shape:
        raise ValueError(
            f"expected an end of shape {list(start.shape)}, got {list(end.shape)}; "
            "pass two clouds of as many tokens."
        )
    if w is None:
        pairs = jnp.broadcast_arrays(start[:, None], end)
        squares = sphere.distance(*pairs) ** 2
        end = end[linear_sum_assignment(np.asarray(squares))[1]]
    w = weights_or_uniform(w, len(start), start.dtype, "w")
    if bool((w == 0).any()):
        raise ValueError("expected w > 0, got a token of no mass; leave it out.")
    if bool((sphere.distance(start, end) > jnp.pi - _OPPOSITE).any()):
        raise ValueError(
            "expected no token to go to its antipode, to which there is no shortest way; "
            "turn one of the ends a little."
        )
    return start, end, w


@eqx.filter_jit
def _path(energy, start, end, w, algebra, dt: Scalar, images: int, steps: int) -> CloudString:
    sphere = Sphere(start.shape[1])
    share = jnp.linspace(0, 1, images, dtype=start.dtype)
    path = jax.vmap(lambda s: sphere.exp(start, s * sphere.log(start, end)))(share)

    def step(path, _):
        inner = path[1:-1]
        down = jax.vmap(lambda x: energy.wasserstein_gradient(x, w))(inner)
        inner = sphere.exp(inner, -dt * sphere.to_tangent(inner, down))
        return _spread(jnp.concatenate([path[:1], inner, path[-1:]]), w), None

    path = jax.lax.scan(step, path, None, length=steps)[0]
    settled = _settled(energy, path, step(path, None)[0], w, dt)
    values = jax.lax.map(lambda x: energy(x, w), path)
    highest = jnp.argmax(values)
    found = search(energy, path[highest], w, algebra, jnp.asarray(1), _CLIMB)
    gaps = _lengths(path[:-1], path[1:], w)
    arc = jnp.concatenate([jnp.zeros(1, gaps.dtype), jnp.cumsum(gaps)])
    near = _lengths(path, found.x, w).min() <= gaps.max()
    inside = (highest > 0) & (highest < images - 1)
    height = found.energy - values[0]
    return CloudString(path, arc, values, found, height, found.converged & inside & near & settled)


def _settled(energy: AbstractEnergy, path, after, w: Weights, dt: Scalar) -> Bool[Array, ""]:
    """Whether the images move no more, but down the path, whence they are put back."""
    sphere = Sphere(path.shape[-1])
    slopes = jax.vmap(lambda x: sphere.to_tangent(x, energy.wasserstein_gradient(x, w)))(path)
    steepest = jnp.sqrt((slopes**2).sum(axis=2) @ w).max()
    return _lengths(path, after, w).max() <= _MOVES * dt * steepest


def _lengths(x: Array, y: Array, w: Weights) -> Float[Array, "*m"]:
    """The distances of clouds token by token, in the metric of weights."""
    squares = Sphere(x.shape[-1]).distance(*jnp.broadcast_arrays(x, y)) ** 2
    return jnp.sqrt(squares @ w)


def _spread(path: Float[Array, "m n d"], w: Weights) -> Float[Array, "m n d"]:
    """The images at equal distances along the geodesics through them."""
    sphere, gaps = Sphere(path.shape[-1]), _lengths(path[:-1], path[1:], w)
    along = jnp.concatenate([jnp.zeros(1, gaps.dtype), jnp.cumsum(gaps)])
    even = jnp.linspace(0, 1, len(path), dtype=gaps.dtype) * along[-1]
    before = jnp.clip(jnp.searchsorted(along, even, side="right") - 1, 0, len(gaps) - 1)
    share = (even - along[before]) / jnp.where(gaps == 0, 1, gaps)[before]
    moves = share[:, None, None] * sphere.log(path[before], path[before + 1])
    spread = sphere.exp(path[before], moves)
    return jnp.concatenate([path[:1], spread[1:-1], path[-1:]])
