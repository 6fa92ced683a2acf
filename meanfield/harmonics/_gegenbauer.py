import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._checks import check_dimension
from ._base import AbstractBasis, check_columns, check_degree, cloud_weights, compiled, rounded
from ._polynomials import gauss, orthonormal, orthonormal_slopes, rungs
from ._recurrence import combine, project


class Gegenbauer(AbstractBasis):
    """The zonal harmonics p_k(<x, e>), k <= degree, on S^{d-1}, for functions with an axis e.

    p_k = sqrt(N(d, k)) P_k are the polynomials that are orthonormal for the law
    c_d (1 - t^2)^{(d-3)/2} dt of a polar cosine. The basis knows no axis: points are given by
    their polar cosines t = <x, e>, and `gradient` is d/dt, from which the tangent gradient at x is
    f'(t) (e - t x), of length sqrt(1 - t^2) |f'|. `nodes` are (3 degree + 3) // 2 Gauss points in t.

    Any d from 2 to 1024 and degree to 256 and beyond. p_k(1) = sqrt(N(d, k)) grows fast with d: use
    float64 for d of 100 or more.

    Raises ValueError if d < 2 or degree < 1, and in use if p_k leaves the range of the dtype.
    """

    d: int = eqx.field(static=True, converter=lambda d: check_dimension(d, least=2))
    degree: int = eqx.field(static=True, converter=check_degree)

    @property
    def degrees(self) -> Int[np.ndarray, " k"]:
        return np.arange(self.degree + 1)

    @property
    def nodes(self) -> Float[Array, " q"]:
        """Polar cosines [q], ascending in (-1, 1)."""
        return jnp.asarray(self._rule[0].astype(float))

    @property
    def points(self) -> Float[Array, "q d"]:
        """Unit vectors [q, d] on the meridian from e_1 through e_2."""
        t = self._rule[0]
        meridian = np.stack([t, np.sqrt((1 - t) * (1 + t))], axis=1).astype(float)
        return jnp.pad(jnp.asarray(meridian), ((0, 0), (0, self.d - 2)))

    def coordinates(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        """The polar cosines x[:, 0] of unit vectors, for the axis e_1."""
        return check_columns(x, self.d)[:, 0]

    @property
    def weights(self) -> Float[Array, " q"]:
        return jnp.asarray(self._rule[1].astype(float))

    @compiled
    def analyze(self, values: Float[Array, "*batch q"]) -> Float[Array, "*batch k"]:
        analysis, _, _ = self._tables(self._check_values(values).dtype)
        return jnp.matmul(values, analysis, precision="highest")

    @compiled
    def synthesize(self, coeffs: Float[Array, "*batch k"]) -> Float[Array, "*batch q"]:
        _, values, _ = self._tables(self._check_coeffs(coeffs).dtype)
        return jnp.matmul(coeffs, values.T, precision="highest")

    @compiled
    def evaluate(self, coeffs: Float[Array, " k"], x: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The values at polar cosines x of any shape."""
        return combine(rungs(self.d, self.degree), self._check_coeffs(coeffs), x)

    @compiled
    def gradient(self, coeffs: Float[Array, " k"], x: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The derivatives d/dt at polar cosines x of any shape."""
        return jax.jvp(lambda t: self.evaluate(coeffs, t), (x,), (jnp.ones_like(x),))[1]

    @compiled
    def node_gradient(self, coeffs: Float[Array, " k"]) -> Float[Array, " q"]:
        """The derivatives d/dt at the nodes [q]."""
        _, _, slopes = self._tables(self._check_coeffs(coeffs).dtype)
        return jnp.matmul(slopes, coeffs, precision="highest")

    @compiled
    def moments(
        self, x: Float[Array, "n ..."], w: Float[Array, "..."] | None = None
    ) -> Float[Array, " k"]:
        """sum_j w_j p_k(x_j) for polar cosines x [n]; by default w = 1/n."""
        if x.ndim != 1:
            raise ValueError(
                f"expected polar cosines of shape [n], got {list(x.shape)}; pass points @ axis."
            )
        return project(rungs(self.d, self.degree), cloud_weights(x, w), x)

    @property
    def _rule(self) -> tuple[np.ndarray, np.ndarray]:
        return gauss(self.d, (3 * self.degree + 3) // 2)

    @property
    def _metric(self) -> Float[Array, " q"]:
        t, weights = self._rule
        return jnp.asarray((weights * (1 - t) * (1 + t)).astype(float))

    def _tables(self, dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _tables(self.d, self.degree, np.dtype(dtype))


@functools.lru_cache(maxsize=16)
def _tables(d: int, degree: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """w p_k, p_k and p_k' at the nodes, each [q, degree + 1]."""
    t, weights = gauss(d, (3 * degree + 3) // 2)
    values = orthonormal(d, degree, t)
    name = f"d={d}, degree={degree}"
    analysis = rounded(weights[:, None] * values, dtype, name)
    slopes = rounded(orthonormal_slopes(d, degree, t), dtype, name)
    return analysis, rounded(values, dtype, name), slopes
