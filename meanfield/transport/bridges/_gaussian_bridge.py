import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..._checks import check_finite, check_positive, check_scalar, guard, tolerance
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ..costs import symmetric_root
from ..exact import bures


class GaussianBridge(AbstractShown):
    """A Schroedinger bridge between two centred Gaussians over the times [0, 1].

    `start` and `end` [d, d], their covariances; `cross` [d, d], the covariance of start and end, a
    Gaussian coupling; `divergence`, that of the bridge from the reference that starts alike: times s^2
    it is the least control energy, int E |u|^2/2 dt.
    """

    start: Float[Array, "d d"]
    end: Float[Array, "d d"]
    cross: Float[Array, "d d"]
    divergence: Scalar
    s: Scalar

    @door
    def covariance(self, t: Scalar | float) -> Float[Array, "d d"]:
        """That at time t in [0, 1]: (1-t)^2 A + t^2 B + t (1-t) (C + C^T + s^2 I)."""
        message = (
            "expected t in [0, 1], got a time outside; pass the share of the time that has passed."
        )
        share = check_scalar(t, "t").astype(self.start.dtype)
        share = guard(share, (share >= 0) & (share <= 1), message)
        eye = jnp.eye(len(self.start), dtype=share.dtype)
        between = self.cross + self.cross.T + self.s**2 * eye
        return (1 - share) ** 2 * self.start + share**2 * self.end + share * (1 - share) * between


@door
def gaussian_bridge(A: ArrayLike, B: ArrayLike, s: Scalar | float) -> GaussianBridge:
    """The Schroedinger bridge from N(0, A) to N(0, B) in unit time, under noise of variance s^2.

        C = (1/2)(A^{1/2} (4 A^{1/2} B A^{1/2} + s^4)^{1/2} A^{-1/2} - s^2)
        KL = (1/2)(tr(A + B - C - C^T)/s^2 - d - log det(B - C^T A^{-1} C) + d log s^2)

    The law of paths nearest to those of Brownian motion x' = s dB with these ends. Small s gives the
    optimal map, C = A^{1/2} (A^{1/2} B A^{1/2})^{1/2} A^{-1/2}. Means move straight and add
    |m_1 - m_0|^2/(2 s^2) to the divergence.

    - `A`, `B`: covariances [d, d], symmetric and positive definite; numbers for d = 1.
    - `s`: the standard deviation of the reference after unit time.

    A = 1, B = 4, s = 1 have C = 1.561553 and the variance 2.280776 half way.
    Raises ValueError for matrices that are no such covariances.
    Source: Bunne, Hsieh, Cuturi, Krause, arXiv 2202.05722, theorem 3.
    """
    A, B, s = _covariance(A, "A"), _covariance(B, "B"), check_positive(s, "s", "pass s=1.0")
    if A.shape != B.shape:
        shapes = f"{list(A.shape)} and {list(B.shape)}"
        raise ValueError(f"expected A and B of one shape, got {shapes}; pass two matrices [d, d].")
    B, s, eye = B.astype(A.dtype), s.astype(A.dtype), jnp.eye(len(A), dtype=A.dtype)
    root = symmetric_root(A)
    product = root @ B @ root
    product = (product + product.T) / 2
    inner = symmetric_root(4 * product + s**4 * eye)
    # X = (inner - s^2)/2 = A^{-1/2} C A^{1/2}, without the difference: X^2 + s^2 X = A^{1/2} B A^{1/2}.
    turned = 2 * jnp.linalg.solve(inner + s**2 * eye, product)
    cross = root @ jnp.linalg.solve(root, turned.T).T
    # B - C^T A^{-1} C = s^2 A^{-1/2} X A^{-1/2}, and tr(A + B - 2 C) is the square of W2 and a rest.
    logs = jnp.linalg.slogdet(turned)[1] - jnp.linalg.slogdet(A)[1]
    rest = jnp.linalg.inv(inner / 2 + symmetric_root(product))
    moved = (bures(A, B) / s) ** 2 - s**2 / 2 * jnp.trace(rest)
    return GaussianBridge(A, B, cross, (moved - logs) / 2, s)


def _covariance(a, name: str) -> Float[Array, "d d"]:
    a = check_finite(check_scalar(a, name) if jnp.ndim(a) == 0 else a, name)
    a = a[None, None] if a.ndim == 0 else a
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"expected {name} of shape [d, d], got {list(a.shape)}; pass a matrix.")
    even = jnp.abs(a - a.T).max() <= tolerance(a.dtype) * jnp.abs(a).max()
    a = guard(a, even, f"expected a symmetric {name}; pass ({name} + {name}.T) / 2.")
    positive = jnp.linalg.eigvalsh(a).min() > 0
    message = f"expected a positive definite {name}; add a small multiple of the identity."
    return jnp.where(even & positive, guard(a, positive, message), jnp.nan)
