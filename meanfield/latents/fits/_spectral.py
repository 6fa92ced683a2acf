"""Normal equations of affine fields in the eigenbasis of the covariance of their points."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.sparse.linalg import LinearOperator, cg

from ._operators import Flat, Rows

STEPS = 500
"""Of conjugate gradients, at most."""
SQUARE = 6000
"""Rows up to which the equations are solved for a number a row, with a matrix of so many squared."""

Parts = tuple[Float[Array, "d d"], Float[Array, " d"]]


@dataclasses.dataclass(frozen=True)
class Spectral:
    """u ~ P_x (M z + g) in turned coordinates, all divided by sqrt h, in single precision.

    In the eigenbasis of the covariance of z, with eigenvalues `values`, the equations without P_x are
    diagonal, K: every ridge costs a division, and what P_x adds is left to conjugate gradients.

        (K - B B^T) theta = right,    B v = sum_i v_i sqrt(h_i/n) (x_i z_i^T, x_i)

    For a free M these are solved by theta = K^{-1} (right + B v), (1 - B^T K^{-1} B) v = B^T K^{-1} right,
    one number a row, since B^T K^{-1} B is a product of two Gram matrices entry by entry. Parameters
    are those of the turned problem, B^T M B and B^T (g + M shift), one after the other; z is centred
    with weights h. Single precision is what long sums hold: ask for no tolerance below a hundred of its
    roundings.
    """

    x: Rows
    z: Rows
    targets: Rows
    roots: Float[np.ndarray, "n 1"]
    values: Float[np.ndarray, " d"]
    basis: Float[np.ndarray, "d d"]
    shift: Float[np.ndarray, " d"]
    mean: float
    symmetric: bool = False

    @property
    def d(self) -> int:
        """Dimension."""
        return len(self.values)

    def back(self, theta: Flat) -> Flat:
        """Parameters in the coordinates of the states."""
        matrix, g = (np.asarray(part, float) for part in self._parts(theta))
        matrix = self.basis @ matrix @ self.basis.T
        return np.concatenate([matrix.ravel(), self.basis @ g - matrix @ self.shift])

    def right(self) -> Flat:
        """The right-hand side of the normal equations."""
        return self._flat(_correlate(self.z, self.roots, self.targets))

    def sketch(self, right: Flat, ridge: float) -> Flat:
        """The parameters, but for P_x."""
        return right / self._diagonal(ridge)

    def solve(self, right: Flat, ridge: float, tolerance: float) -> tuple[Flat, bool]:
        """The parameters of a right-hand side, and whether they were found."""
        diagonal = self._diagonal(ridge)
        if len(self.x) <= SQUARE and not self.symmetric:
            return self._by_rows(right, diagonal, ridge, tolerance)
        held = np.zeros(len(right), np.float32)
        held[: self.d**2] = ridge
        whole = _linear(len(right), lambda t: self._normal(t) + held * t)
        near = _linear(len(right), lambda t: t / diagonal)
        theta, info = cg(whole, right, rtol=tolerance, maxiter=STEPS, M=near)
        return theta, info == 0

    def degrees(self, ridge: float, tolerance: float) -> float:
        """The trace of the map from targets to what is fitted of them, by one random vector of signs.

        Signs are exact for what is diagonal, so that the error is that of P_x alone.
        """
        shape = self.d**2 + self.d
        signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), shape)
        solved, _ = self.solve(self._normal(signs), ridge, tolerance)
        return float(signs @ solved.astype(float))

    def explained(self, theta: Flat) -> float:
        """1 - sum |target - fitted|^2 / sum |target|^2."""
        left = self.targets - np.asarray(_fitted(self.x, self.z, self.roots, *self._parts(theta)))
        squares = [np.einsum("nd,nd->n", a, a).sum(dtype=float) for a in (left, self.targets)]
        return float(1 - squares[0] / squares[1])

    def _by_rows(
        self, right: Flat, diagonal: Flat, ridge: float, tolerance: float
    ) -> tuple[Flat, bool]:
        start = right / diagonal
        roots = self.roots / np.float32(np.sqrt(len(self.x)))
        of_rows = _along(self.x, self.z, roots, *self._parts(start))
        if ridge not in self._grams:  # degrees of freedom ask again at the ridge of the parameters
            self._grams.clear()
            scaled = self.z / np.sqrt(self._eigenvalues + ridge).astype(np.float32)
            self._grams[ridge] = _gram(self.x, scaled, roots, np.float32(1 / self.mean))
        v, sure = _solve(self._grams[ridge], of_rows, np.float32(tolerance))
        added = self._flat(_spread(self.x, self.z, roots, v))
        return start + added / diagonal, bool(sure)

    @functools.cached_property
    def _grams(self) -> dict[float, Array]:
        return {}

    @property
    def _eigenvalues(self) -> Float[np.ndarray, " d"]:
        return np.maximum(self.values, 1e-12 * self.values[-1])

    def _normal(self, theta: Flat) -> Flat:
        return self._flat(_normal(self.x, self.z, self.roots, *self._parts(theta)))

    def _flat(self, parts: Parts) -> Flat:
        matrix, g = (np.asarray(part) for part in parts)
        matrix = (matrix + matrix.T) / 2 if self.symmetric else matrix
        return np.concatenate([matrix.ravel(), g])

    def _parts(self, theta: Flat) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]:
        matrix = theta[: -self.d].reshape(self.d, self.d)
        return ((matrix + matrix.T) / 2 if self.symmetric else matrix), theta[-self.d :]

    def _diagonal(self, ridge: float) -> Flat:
        """That of the equations without P_x."""
        values = self._eigenvalues
        each = (values[:, None] + values) / 2 if self.symmetric else np.tile(values, (self.d, 1))
        return np.concatenate([(each + ridge).ravel(), np.full(self.d, self.mean)]).astype(
            np.float32
        )


def spectral_of(
    x: Rows, z: Rows, targets: Rows, roots: Float[np.ndarray, "n 1"], like: Spectral | None = None
) -> Spectral:
    """The fit in its own eigenbasis, or in that of another one."""
    if like is None:
        weights, mean = roots**2 / len(z), float((roots**2).mean())
        shift = (weights * z).sum(axis=0) / mean
        z = z - shift
        values, basis = np.linalg.eigh(z.T @ (weights * z))
        like = Spectral(x, z, targets, roots, values, basis, shift, mean)
    else:
        z = z - like.shift
    single = like.basis.astype(np.float32)
    turned = [a.astype(np.float32) @ single for a in (x, z, targets)]
    names = zip(("x", "z", "targets"), turned, strict=True)
    return dataclasses.replace(like, roots=roots.astype(np.float32), **dict(names))


@jax.jit
def _along(x, z, roots, matrix, g):
    """B^T theta, a number a row."""
    return roots[:, 0] * jnp.einsum("nd,nd->n", x, z @ matrix.T + g)


@jax.jit
def _spread(x, z, roots, v):
    """B v."""
    field = (roots[:, 0] * v)[:, None] * x
    return field.T @ z, field.sum(axis=0)


@jax.jit
def _gram(x, z, roots, one):
    """1 - B^T K^{-1} B."""
    products = (x @ x.T) * (z @ z.T + one) * (roots * roots.T)
    return jnp.eye(len(x), dtype=x.dtype) - products


@jax.jit
def _solve(matrix, right, tolerance):
    """Conjugate gradients, and whether they arrived."""
    found = jax.scipy.sparse.linalg.cg(lambda v: matrix @ v, right, tol=tolerance, maxiter=STEPS)[0]
    off = jnp.linalg.norm(right - matrix @ found)
    return found, off <= 2 * tolerance * jnp.linalg.norm(right)


@jax.jit
def _fitted(x, z, roots, matrix, g):
    """What the parameters say of the targets."""
    said = roots * (z @ matrix.T + g)
    return said - jnp.einsum("nd,nd->n", x, said)[:, None] * x


@jax.jit
def _correlate(z, roots, targets):
    field = roots * targets / len(z)
    return field.T @ z, field.sum(axis=0)


@jax.jit
def _normal(x, z, roots, matrix, g):
    return _correlate(z, roots, _fitted(x, z, roots, matrix, g))


def _linear(size: int, function) -> LinearOperator:
    return LinearOperator((size, size), function, dtype=np.float32)  # pyright: ignore[reportCallIssue]
