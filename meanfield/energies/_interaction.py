import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_scalar, guard
from .._products import weighted_sum
from .._typing import Matrix, Points, Scalar, Weights
from ..attention.engines import AbstractEngine, check_matrix, exponential
from ..attention.kernels import Unnormalized
from ..harmonics import AbstractBasis
from ._base import AbstractEnergy


class Interaction(AbstractEnergy):
    """The interaction energy of attention.

    E_beta(mu) = 1/(2 beta) iint e^{beta <x, y> - offset} dmu(x) dmu(y)

    Unnormalized self-attention is its gradient *ascent* in Wasserstein space, and softmax
    self-attention increases it too. On the sphere the uniform law is its only minimizer and single
    points are its maximizers, of energy e^beta/(2 beta). `offset=beta` keeps it of order one, as in
    papers on metastability. `engine` is that of the attention.

    With a symmetric `matrix` D it is 1/(2 beta) iint e^{beta <x, D y> - offset} dmu dmu, which unnormalized
    attention with query D and value D ascends. Let lambda be the eigenvalue of D of largest modulus: if it
    is positive, single points at its eigenvectors maximize the energy, and if it is negative they minimize
    it, of energy e^{beta lambda}/(2 beta) either way.

    Raises ValueError if beta is 0, where the energy is constant and its scale infinite, for a matrix that
    is not symmetric, and for densities if there is one.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, section 3; with a matrix Burger,
    Kabri, Korolev, Roith, Weigand, arXiv 2501.03096.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    offset: Scalar = eqx.field(default=0.0, converter=lambda b: check_scalar(b, "offset"))
    engine: AbstractEngine | None = None
    matrix: Matrix | None = eqx.field(
        default=None, kw_only=True, converter=lambda a: _check_symmetric(a)
    )

    def __check_init__(self):
        guard(
            self.beta, self.beta != 0, "expected beta != 0, got 0; use a small one, such as 1e-6."
        )

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        attention = Unnormalized(self.beta, query=self.matrix, engine=self.engine)
        log_mass = attention.log_mass(x, None, w)
        log_mass -= self.offset.astype(x.dtype)
        if w is not None:
            # Points of mass 0 may be so far away that 0 times infinity would be NaN.
            beyond = (w == 0) & (log_mass > jnp.log(jnp.finfo(x.dtype).max))
            log_mass = jnp.where(beyond, 0, log_mass)
        each = jnp.exp(log_mass)
        mean = each.mean() if w is None else weighted_sum(w, each)
        return mean / (2 * self.beta.astype(x.dtype))

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        if self.matrix is not None:
            raise ValueError(
                "expected an interaction without a matrix for a density, got one; sample points of it."
            )
        beta = self.beta.astype(coeffs.dtype)
        multipliers = basis.multipliers(exponential(beta), dtype=coeffs.dtype)
        scale = jnp.exp(beta - self.offset.astype(coeffs.dtype))
        return scale * coeffs @ basis.convolve(coeffs, multipliers) / (2 * beta)


def _check_symmetric(matrix) -> Matrix | None:
    matrix = check_matrix(matrix, "matrix")
    if matrix is None:
        return None
    square = matrix.shape[0] == matrix.shape[1]
    message = (
        f"expected a symmetric matrix, got one of shape {list(matrix.shape)}; pass (a + a.T)/2."
    )
    return guard(matrix, jnp.asarray(square and (matrix == matrix.T).all()), message)
