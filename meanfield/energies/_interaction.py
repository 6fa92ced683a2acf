import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_scalar, guard
from .._typing import Points, Scalar, Weights
from ..attention.engines import AbstractEngine, exponential
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

    Raises ValueError if beta is 0, where the energy is constant and its scale infinite.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, section 3.
    """

    beta: Scalar = eqx.field(converter=lambda b: check_scalar(b, "beta"))
    offset: Scalar = eqx.field(default=0.0, converter=lambda b: check_scalar(b, "offset"))
    engine: AbstractEngine | None = None

    def __check_init__(self):
        guard(
            self.beta, self.beta != 0, "expected beta != 0, got 0; use a small one, such as 1e-6."
        )

    def _of_points(self, x: Points, w: Weights | None) -> Scalar:
        log_mass = Unnormalized(self.beta, engine=self.engine).log_mass(x, None, w)
        log_mass -= self.offset.astype(x.dtype)
        if w is not None:
            # Points of mass 0 may be so far away that 0 times infinity would be NaN.
            beyond = (w == 0) & (log_mass > jnp.log(jnp.finfo(x.dtype).max))
            log_mass = jnp.where(beyond, 0, log_mass)
        each = jnp.exp(log_mass)
        mean = each.mean() if w is None else each @ w
        return mean / (2 * self.beta.astype(x.dtype))

    def _of_density(self, basis: AbstractBasis, coeffs: Float[Array, " k"]) -> Scalar:
        beta = self.beta.astype(coeffs.dtype)
        multipliers = basis.multipliers(exponential(beta), dtype=coeffs.dtype)
        scale = jnp.exp(beta - self.offset.astype(coeffs.dtype))
        return scale * coeffs @ basis.convolve(coeffs, multipliers) / (2 * beta)
