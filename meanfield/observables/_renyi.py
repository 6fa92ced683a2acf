import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .._checks import check_nonnegative
from .._typing import Points, Scalar, Weights
from ..geometry import Sphere
from ._cloud_checks import known, map_rows, masses, on_sphere, within


def renyi_centres(x: Points, delta: Float[Array, ""] | float) -> Bool[Array, " n"]:
    """Which tokens are Renyi centres: farther than delta from every earlier centre.

    Tokens are in causal order, so the first is a centre; the others park one by one, as in Renyi's
    parking problem. delta is an angle. Memory O(n d).
    A cloud with NaN has none. Raises ValueError for a negative delta, and for tokens off the sphere.

    Source: Karagodin, Polyanskiy and Rigollet (2024), arXiv 2411.04990.
    """
    x, delta = on_sphere(x), check_nonnegative(delta, "delta").astype(x.dtype)
    return _parked(x, delta) & jnp.isfinite(x).all()


@eqx.filter_jit
def _parked(x: Points, delta: Scalar) -> Bool[Array, " n"]:
    def park(centres, i):
        free = ~within(x[i], x, delta, Sphere(x.shape[1])) | ~centres
        return centres.at[i].set(free.all()), None

    n = x.shape[0]
    return jax.lax.scan(park, jnp.zeros(n, bool), jnp.arange(n))[0]


def strong_renyi_centres(x: Points, delta: Float[Array, ""] | float) -> Bool[Array, " n"]:
    """Which tokens are strong Renyi centres: farther than delta from every earlier token.

    Of independent uniform tokens, number i (from 0) is one with probability (1 - F)^i, where F is
    the share of the sphere within delta of a point: their mean number is (1 - (1 - F)^n) / F and
    tends to 1/F, which is pi/delta on the circle. See `log_cap_measure` for F. Memory O(n d).
    A cloud with NaN has none. Raises ValueError for a negative delta, and for tokens off the sphere.

    Source: Karagodin, Polyanskiy and Rigollet (2024), arXiv 2411.04990.
    """
    x, delta = on_sphere(x), check_nonnegative(delta, "delta").astype(x.dtype)
    return _far(x, delta) & jnp.isfinite(x).all()


@eqx.filter_jit
def _far(x: Points, delta: Scalar) -> Bool[Array, " n"]:
    order, sphere = jnp.arange(x.shape[0]), Sphere(x.shape[1])

    def alone(token: Float[Array, " d"], i: Int[Array, ""]) -> Bool[Array, ""]:
        return (~within(token, x, delta, sphere) | (order >= i)).all()

    return map_rows(alone, x, order)


def captured_share(
    x: Points,
    centres: Bool[Array, " n"],
    tolerance: Float[Array, ""] | float,
    w: Weights | None = None,
) -> Scalar:
    """The mass of the tokens that lie within the angle `tolerance` of a centre, centres included.

    `x` is the cloud at a late time and `centres` marks tokens, as `renyi_centres` of the first cloud
    does; the centres are taken where they are now. 0 if there are none.
    Raises ValueError for a negative tolerance, for tokens off the sphere, and for centres that are not n
    truth values.
    """
    x, tolerance = on_sphere(x), check_nonnegative(tolerance, "tolerance").astype(x.dtype)
    if jnp.shape(centres) != x.shape[:1] or not jnp.issubdtype(jnp.result_type(centres), bool):
        raise ValueError(
            f"expected one truth value a token for centres, got {jnp.result_type(centres)} of shape "
            f"{list(jnp.shape(centres))}; pass renyi_centres(x, delta)."
        )
    near, w = _near(x, jnp.asarray(centres), tolerance), masses(w, x)
    return known(x, jnp.where(near | jnp.isnan(w), w, 0).sum())


@eqx.filter_jit
def _near(x: Points, centres: Bool[Array, " n"], tolerance: Scalar) -> Bool[Array, " n"]:
    sphere = Sphere(x.shape[1])
    return map_rows(lambda token: (within(token, x, tolerance, sphere) & centres).any(), x)
