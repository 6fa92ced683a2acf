import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._door import AbstractChecked
from ..._typing import Clouds
from ...geometry import AbstractGeometry


class AbstractDiscord(AbstractChecked):
    """How far each of N clouds is from agreement: a square of a distance to all of them.

    Squared, so that controls fade as agreement nears: the gradient of the distance itself is a unit
    vector however near it is, and controls would be bang-bang.
    """

    EXAMPLE = "Quantiles()"

    @abc.abstractmethod
    def __call__(self, geometry: AbstractGeometry, x: Clouds) -> Float[Array, " models"]:
        """One number >= 0 a cloud."""


class Quantiles(AbstractDiscord):
    """W2^2 to the barycenter on the line, exact: the mean square of the differences of quantiles."""

    def __call__(self, geometry: AbstractGeometry, x: Clouds) -> Float[Array, " models"]:
        if x.shape[-1] != 1:
            raise ValueError(
                f"expected clouds on the line for Quantiles(), got d = {x.shape[-1]}; pass "
                "discord=Matched() or discord=Means()."
            )
        quantiles = jnp.sort(x[..., 0], axis=-1)
        return jnp.mean((quantiles - quantiles.mean(axis=0)) ** 2, axis=-1)


class Means(AbstractDiscord):
    """The square of the distance from the mean of a cloud in R^d to the mean of all.

    W2^2 to the barycenter of clouds that are shifted copies of each other, such as Gaussians of one
    covariance; a lower bound of it for others.
    """

    def __call__(self, geometry: AbstractGeometry, x: Clouds) -> Float[Array, " models"]:
        means = x.mean(axis=1)
        return jnp.sum((means - means.mean(axis=0)) ** 2, axis=-1)


class Matched(AbstractDiscord):
    """That of clouds whose tokens correspond by number: N models that process one text.

        D_i = sum_j d_ij^2/N - sum_jk d_jk^2/(2 N^2),    d_ij^2 = mean_k distance(x_ik, x_jk)^2

    In R^d this is the mean square of the distance from a token to the mean of its copies, an upper
    bound of W2^2 to the barycenter. On a sphere distances are geodesic.
    """

    def __call__(self, geometry: AbstractGeometry, x: Clouds) -> Float[Array, " models"]:
        to = lambda y: jax.vmap(lambda z: geometry.distance(z, y))(x)
        square = jnp.mean(jax.vmap(to)(x) ** 2, axis=-1)
        return square.mean(axis=1) - square.mean() / 2
