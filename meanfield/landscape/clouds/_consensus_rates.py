import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import expit

from ..._checks import check_finite, check_known, check_scalar
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Matrix, Scalar


class ConsensusRates(AbstractShown):
    """The consensus of tokens along each real eigenvector of a value matrix, and whether it lasts.

    - `eigenvalues` [k], the largest first, `eigenvectors` [k, d]: of the value matrix, the real ones.
    - `rates` [k]: the largest rate, its real part, at which tokens near that consensus leave it.
    """

    eigenvalues: Float[Array, " k"]
    eigenvectors: Float[Array, "k d"]
    rates: Float[Array, " k"]


@door
def consensus_rates(
    value: Matrix, beta: Scalar | float, share: Scalar | float = 1.0
) -> ConsensusRates:
    """How fast tokens leave a consensus, or two opposite groups, under softmax attention with values V.

    A share m of the tokens is at an eigenvector u of V, V u = lambda u, the others are at -u. With the
    attention of each group to itself, p = m e^beta/(m e^beta + (1 - m) e^{-beta}) and q, where 1 - m is m,
    they leave at the rates

        -lambda (2 p - 1), -lambda (2 q - 1),    differences within the groups,
        eig(mu [[p, 1 - p], [1 - q, q]] - lambda diag(2 p - 1, 2 q - 1)),    mu each other eigenvalue of V

    A consensus, m = 1, is stable if lambda > 0 is the largest real part, where Oja's flow goes. Two equal
    groups are if Re mu < lambda tanh beta for all others, and lambda > 0: both may be stable at once. For
    any number of tokens, but that a group of a single one has no differences.

    - `value` [d, d]: V, symmetric or not. `beta`: inverse temperature, without query and key. `share`: m,
      in (0, 1].

    Raises ValueError for a matrix that is not square, or has no real eigenvalue, and another share. Source:
    the states are those of Altafini, arXiv 2511.11553; the rates are derived here.
    """
    check_known((value, beta, share), "a matrix and numbers", "call it outside of jit")
    v, beta, m = (
        np.asarray(check_finite(value, "value")),
        float(check_scalar(beta, "beta")),
        float(share),
    )
    if v.ndim != 2 or v.shape[0] != v.shape[1]:
        raise ValueError(f"expected a square matrix, got {list(v.shape)}; pass value=V [d, d].")
    if not 0 < m <= 1:
        raise ValueError(f"expected a share in (0, 1], got {m:g}; pass share=0.5.")
    lambdas, vectors = np.linalg.eig(v)
    parts, largest = np.real(lambdas), np.abs(lambdas).max()
    rounding = float(np.finfo(v.dtype).eps) * len(v) * largest
    real = np.flatnonzero(np.abs(np.imag(lambdas)) <= rounding)
    if not real.size:
        raise ValueError("expected a real eigenvalue, got none; pass another value matrix.")
    real = real[np.argsort(-parts[real])]
    rates = [_largest(float(parts[k]), np.delete(lambdas, k), beta, m) for k in real]
    kept = parts[real], np.real(vectors).T[real], rates
    return ConsensusRates(*(jnp.asarray(part, v.dtype) for part in kept))


def _largest(own: float, others: np.ndarray, beta: float, m: float) -> float:
    """The largest real part of the rates at which tokens leave the eigenvector of `own`."""
    if m == 1:
        return float(max([-own, *np.real(others - own)]))
    odds = np.log(m) - np.log1p(-m)
    p, q = expit(2 * beta + odds), expit(2 * beta - odds)
    back = np.array([own * (2 * p - 1), own * (2 * q - 1)])
    within = np.array([[p, 1 - p], [1 - q, q]])
    spread = [np.real(np.linalg.eigvals(mu * within - np.diag(back))).max() for mu in others]
    return float(max([*-back, *spread]))
