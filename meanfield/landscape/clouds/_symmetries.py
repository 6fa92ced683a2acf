"""Rotations that leave an energy as it is: along them a stationary cloud is not isolated."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import tolerance
from ..._typing import Points, Scalar
from ...energies import AbstractEnergy
from ...geometry import Sphere


def symmetries(energy: AbstractEnergy, n: int, d: int, w=None) -> Float[Array, "s d d"]:
    """An orthonormal basis of the skew matrices A with dE(x)[A x] = 0 for all clouds x [n, d].

    Found from a few random clouds, more than there are matrices: the null space of a linear map.
    """
    rows, columns = np.triu_indices(d, 1)
    generators = np.zeros((len(rows), d, d))
    generators[np.arange(len(rows)), rows, columns] = np.sqrt(0.5)
    generators -= generators.swapaxes(1, 2)
    sphere, dtype = Sphere(d), jnp.zeros(()).dtype
    keys = jax.random.split(jax.random.key(0), len(rows) + 2)
    clouds = jnp.stack([sphere.sample(key, n).astype(dtype) for key in keys])
    slopes = np.asarray(_slopes(energy, clouds, w), float)
    if not np.isfinite(slopes).all():
        raise ValueError(
            "expected an energy with finite slopes at random clouds, got NaN or infinity; mend the energy, "
            "or take a smaller beta."
        )
    changes = np.einsum("cnd,gde,cne->cg", slopes, generators, np.asarray(clouds, float))
    _, sizes, directions = np.linalg.svd(changes)
    zero = tolerance(dtype) * max(np.abs(slopes).max(), np.finfo(float).tiny)
    kept = directions[np.count_nonzero(sizes > zero) :]
    return jnp.asarray(np.einsum("sg,gde->sde", kept, generators), dtype)


@eqx.filter_jit
def _slopes(energy: AbstractEnergy, clouds: Float[Array, "c n d"], w) -> Float[Array, "c n d"]:
    return jax.lax.map(jax.grad(lambda x: energy(x, w)), clouds)


def rotated(x: Points, algebra: Float[Array, "s d d"]) -> Float[Array, "s n d"]:
    """The velocities A x of a cloud that is rotated."""
    return jnp.einsum("sde,ne->snd", algebra, x, precision="highest")


def orbit(x: Points, algebra: Float[Array, "s d d"]) -> tuple[int, Scalar]:
    """The dimension of the cloud's orbit, and its volume in units of that of the group."""
    if not len(algebra):
        return 0, jnp.ones((), x.dtype)
    sizes = jnp.linalg.svd(
        rotated(x, algebra).reshape(len(algebra), -1), full_matrices=False, compute_uv=False
    )
    moving = sizes > tolerance(x.dtype) ** 0.5 * sizes.max()
    return int(moving.sum()), jnp.where(moving, sizes, 1).prod()
