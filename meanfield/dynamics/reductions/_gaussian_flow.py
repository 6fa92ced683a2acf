from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, check_vector, guard, is_concrete, tolerance
from ..._typing import Matrix, Scalar
from ...attention.closures import AffineField, GaussianAttention
from ...attention.kernels import AbstractSchedule
from .._base import AbstractDynamics, as_noise

Normal = tuple[Float[Array, " d"], Float[Array, "d d"]]
"""A mean and a covariance."""


def _as_gaussian(attention) -> Any:
    kinds = GaussianAttention | AbstractSchedule
    if isinstance(attention, type) or not isinstance(attention, kinds):
        raise ValueError(
            "expected an attention that keeps a Gaussian cloud Gaussian, such as Softmax, L2 and "
            "Sinkhorn, got another; simulate the particles with AttentionFlow."
        )
    return attention


class GaussianFlow(AbstractDynamics):
    """Infinitely many tokens in R^d whose law is Gaussian at the start, and so for ever: a closure.

    The field that a Gaussian cloud N(m, S) causes is affine, x -> u + G (x - m), and so

        m' = u,    S' = G S + S G^T + 2 nu I.

    With the logits <A x, y>, A = beta K^T Q, and R = (I + beta S K^T K)^{-1}:

        Softmax:   u = V (I + S A) m,      G = V S A
        L2:        u = V R (I + S A) m,    G = V R S A
        Sinkhorn:  u = V m,                G = 2 V S^{1/2} (I + (I + 4 B B^T)^{1/2})^{-1} S^{1/2} A

    with B = S^{1/2} A S^{1/2}; heads add. The particles are those of
    `AttentionFlow(Euclidean(d), attention, noise=noise)`, plus `Drift(Euclidean(d), lambda x: L @ x + c)`.

    - `attention`: one with `gaussian_field`: Softmax, L2, Sinkhorn, MultiHead of these; or a schedule.
    - `noise`: nu >= 0, with generator nu * Laplacian: the law stays deterministic.
    - `linear`: the matrix L [d, d]; `constant`: the vector c [d] of a drift L x + c.

    The state is (mean [d], cov [d, d]), cov symmetric and at least 0. Softmax with V A > 0 has S' of
    order S^2: the covariance blows up in finite time, at 1/(2 a s_0) in one dimension with V A = a.
    `simulate` says when; with `throw=False` that is `Trajectory.reached`.

    Raises ValueError for other attentions, masks, and matrices that do not fit the mean.
    Source: Castin, Ablin, Carrillo, Peyre, arXiv 2501.18322.
    """

    attention: GaussianAttention | AbstractSchedule = eqx.field(converter=_as_gaussian)
    noise: Scalar | None = eqx.field(default=0.0, converter=as_noise)
    linear: Matrix | None = eqx.field(
        default=None, converter=lambda a: None if a is None else _check_linear(a)
    )
    constant: Float[Array, " d"] | None = eqx.field(
        default=None, converter=lambda a: None if a is None else check_vector(a, "constant")
    )

    def drift(self, t: Scalar, state: Normal, args: Any) -> Normal:
        mean, cov = state
        field = self._field(t, mean, cov)
        velocity, gain = field.velocity, field.gain
        if self.linear is not None:
            linear = self.linear.astype(mean.dtype)
            velocity, gain = velocity + linear @ mean, gain + linear
        if self.constant is not None:
            velocity = velocity + self.constant.astype(mean.dtype)
        growth = gain @ cov
        growth = growth + growth.T
        if self.noise is not None:
            growth = growth + 2 * self.noise.astype(mean.dtype) * jnp.eye(
                len(mean), dtype=mean.dtype
            )
        return velocity, growth

    def _field(self, t: Scalar, mean: Float[Array, " d"], cov: Float[Array, "d d"]) -> AffineField:
        """What attention does at time t."""
        now = self.attention
        now = _as_gaussian(now(t) if isinstance(now, AbstractSchedule) else now)
        return now.gaussian_field(mean, cov)

    def project(self, state: Normal) -> Normal:
        mean, cov = state
        return mean, (cov + cov.T) / 2

    def check(self, state: Any) -> Normal:
        mean, cov = _as_normal(state)
        d = mean.shape[0]
        for part, shape, name in (
            (self.linear, (d, d), "linear"),
            (self.constant, (d,), "constant"),
        ):
            if part is not None and part.shape != shape:
                raise ValueError(
                    f"expected {name} of shape {list(shape)} for a mean in R^{d}, "
                    f"got {list(part.shape)}; pass the drift of these tokens."
                )
        start = jnp.zeros((), mean.dtype)
        field = jax.eval_shape(self._field, start, mean, cov)
        if field.velocity.shape != mean.shape:
            raise ValueError(
                f"expected a square value matrix for tokens that move in R^{d}, got one with "
                f"{field.velocity.shape[0]} rows; multiply it by the output matrix."
            )
        return mean, cov

    def requirements(self, state: Normal) -> dict[str, Bool[Array, ""]]:
        cov = self.project(state)[1]
        least = jnp.linalg.eigvalsh(cov)[0]
        room = tolerance(cov.dtype) * jnp.abs(cov).max()
        return {"the covariance has a negative eigenvalue; lower dt or tol": least >= -room}

    def jumps(self) -> Float[Array, " jumps"] | None:
        return self.attention.jumps() if isinstance(self.attention, AbstractSchedule) else None


def _check_linear(linear) -> Matrix:
    """A finite square matrix."""
    linear = check_finite(linear, "linear")
    if linear.ndim != 2 or linear.shape != linear.T.shape or linear.size == 0:
        raise ValueError(
            f"expected linear of shape [d, d], got {list(linear.shape)}; pass the matrix of the drift."
        )
    return linear


def _as_normal(state: Any) -> Normal:
    """A pair (mean, cov) of finite numbers, cov symmetric and without negative eigenvalues."""
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise ValueError(
            "expected a pair (mean [d], cov [d, d]) to start from, got something else; "
            "pass (jnp.zeros(d), jnp.eye(d))."
        )
    mean, cov = check_finite(state[0], "mean"), check_finite(state[1], "cov")
    if mean.ndim != 1 or cov.shape != (mean.shape[0],) * 2:
        raise ValueError(
            f"expected a mean of shape [d] and a cov of shape [d, d], got {list(mean.shape)} and "
            f"{list(cov.shape)}; for one variance s in every direction pass s * jnp.eye(d)."
        )
    if mean.dtype != cov.dtype:
        raise ValueError(
            f"expected mean and cov of one dtype, got {mean.dtype} and {cov.dtype}; cast one."
        )
    if is_concrete(cov):
        room = tolerance(cov.dtype) * jnp.abs(cov).max()
        skew = jnp.abs(cov - cov.T).max() <= room
        guard(cov, skew, "expected a symmetric cov; pass (cov + cov.T) / 2.")
        least = jnp.linalg.eigvalsh(cov)[0]
        guard(cov, least >= -room, "expected cov >= 0, got a negative eigenvalue; check its signs.")
    return mean, cov
