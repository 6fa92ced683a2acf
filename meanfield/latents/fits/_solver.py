"""Ridge regression of tangent increments on tangent fields."""

import dataclasses
import functools
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import pinvh

from ._operators import Affine, Flat, Operator, Rows
from ._spectral import Spectral, spectral_of
from ._steps import Step

DENSE = 400
"""Parameters up to which the normal equations are written out; beyond, conjugate gradients."""
TOLERANCE, ROUGH, LITTLE = 1e-5, 1e-2, 1e-6
"""Of conjugate gradients, relative to the right-hand side: for parameters, and for what is random or a
share, of which the error is the square; and a ridge that holds back nothing."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Increments u ~ h P_x b(x) with errors of variance proportional to h, each divided by sqrt h.

    `roots` [n, 1] are sqrt h, `targets` [n, d] are u/sqrt h, and `texts` [n] says whose they are;
    `shared` is what families have in common.
    """

    x: Rows
    targets: Rows
    roots: Float[np.ndarray, "n 1"]
    texts: np.ndarray
    operator: Operator
    shared: dict[str, Any]

    @property
    def small(self) -> bool:
        """Whether the normal equations are written out."""
        matrices = isinstance(self.operator, Affine) and not _constant(self.operator)
        return self.operator.size <= DENSE or not matrices

    @functools.cached_property
    def matrix(self) -> np.ndarray:
        """The matrix of the normal equations, without the ridge."""
        if _constant(self.operator):
            weighted = self.roots**2 * self.x
            return (
                np.diag(np.full(len(weighted.T), (self.roots**2).sum())) - weighted.T @ self.x
            ) / len(self.x)
        rows = np.eye(self.operator.size)
        matrix = np.stack([self.correlate(self.fitted(row)) for row in rows])
        return (matrix + matrix.T) / 2

    @functools.cached_property
    def right(self) -> Flat:
        """The right-hand side of the normal equations."""
        return self.correlate(self.targets)

    @functools.cached_property
    def spectral(self) -> Spectral:
        """The equations where all but their P_x is diagonal."""
        operator = self.operator
        assert isinstance(operator, Affine)
        if "whole" not in self.shared:
            self.shared["whole"] = spectral_of(self.x, operator.z, self.targets, self.roots)
        return dataclasses.replace(self.shared["whole"], symmetric=bool(operator.symmetric))

    def inverse(self, ridge: float) -> np.ndarray:
        """Of the matrix with the ridge; 0 where that is 0."""
        if ridge not in self._inverses:
            held = ridge * self.operator.scale * self.operator.penalized
            self._inverses[ridge] = np.asarray(pinvh(self.matrix + np.diag(held), rtol=1e-12))
        return self._inverses[ridge]

    @functools.cached_property
    def _inverses(self) -> dict[float, np.ndarray]:
        return {}

    @property
    def count(self) -> int:
        """Numbers that are fitted: n (d - 1)."""
        n, d = self.x.shape
        return n * (d - 1)

    @functools.cached_property
    def whole(self) -> np.ndarray:
        """The squared targets of each text."""
        return self.sum_by_text(self.targets)

    def sum_by_text(self, rows: Rows) -> np.ndarray:
        """Sums of squares over the rows of each text."""
        index = np.unique(self.texts, return_inverse=True)[1]
        return np.bincount(index, np.einsum("nd,nd->n", rows, rows))

    def fitted(self, theta: Flat) -> Rows:
        """What the parameters say of the targets."""
        return self.operator.apply(theta)

    def correlate(self, targets: Rows) -> Flat:
        """The right-hand side of the normal equations."""
        return self.operator.adjoint(targets) / len(self.x)


def problem_of(steps: list[Step], operator: Operator, shared: dict[str, Any]) -> Problem:
    """The regression of all increments of these steps."""
    if "rows" not in shared:
        roots = np.sqrt(times_of(steps))[:, None]
        u = np.concatenate([step.u for step in steps])
        texts = np.concatenate([np.full(len(step.x), step.text) for step in steps])
        shared["rows"] = np.concatenate([step.x for step in steps]), u / roots, roots, texts
    x, targets, roots, texts = shared["rows"]
    return Problem(x, targets, roots, texts, operator, shared)


def times_of(steps: list[Step]) -> Float[np.ndarray, " n"]:
    """The time of each row."""
    return np.concatenate([np.full(len(step.x), step.time) for step in steps])


def solve(problem: Problem, ridge: float) -> tuple[Flat, bool]:
    """The parameters, and whether they were found.

    `ridge` is relative to the scale of the operator. Directions in which no field is tangent, such as
    M = identity, have parameters 0.
    """
    if problem.small:
        return problem.inverse(ridge) @ problem.right, True
    turned = problem.spectral
    held = ridge * problem.operator.scale
    theta, found = turned.solve(turned.right(), held, TOLERANCE)
    return turned.back(theta), found


def best_ridge(fitted: Problem, kept: Problem, grid: list[float]) -> float:
    """The ridge with which what is fitted explains most of the others; without P_x where it is too large."""
    if fitted.small:
        return max(grid, key=lambda ridge: explained(kept, solve(fitted, ridge)[0]))
    turned, operator = fitted.spectral, kept.operator
    assert isinstance(operator, Affine)
    if "other" not in fitted.shared:
        parts = kept.x, operator.z, kept.targets, kept.roots
        fitted.shared["other"] = spectral_of(*parts, like=turned)
    right = turned.right()
    others = dataclasses.replace(fitted.shared["other"], symmetric=turned.symmetric)
    scale = fitted.operator.scale
    return max(grid, key=lambda ridge: others.explained(turned.sketch(right, ridge * scale)))


def gradient_share(problem: Problem, theta: Flat, affine: Affine) -> float:
    """How much of the fitted increments gradients of quadratic potentials fit: those of `affine`.

    With a ridge for the equations' sake alone, for there is no noise in what was fitted.
    """
    fitted = dataclasses.replace(problem, targets=problem.fitted(theta), operator=affine)
    if fitted.small:
        return explained(fitted, solve(fitted, LITTLE)[0])
    turned = dataclasses.replace(problem, operator=affine).spectral
    aims = fitted.targets.astype(np.float32) @ turned.basis.astype(np.float32)
    turned = dataclasses.replace(turned, targets=aims)
    return turned.explained(turned.solve(turned.right(), LITTLE * affine.scale, ROUGH)[0])


def explained(problem: Problem, theta: Flat) -> float:
    """1 - sum |target - fitted|^2 / sum |target|^2."""
    left, whole = squares(problem, theta)
    return float(share(left.sum(), whole.sum()))


def share(left, whole):
    """1 - left/whole; NaN where there is nothing to explain."""
    whole = np.asarray(whole, float)
    return np.where(whole > 0, 1 - left / np.where(whole > 0, whole, 1), np.nan)


def squares(problem: Problem, theta: Flat) -> tuple[np.ndarray, np.ndarray]:
    """What is left of the squared targets, and these, of each text."""
    off = problem.targets - problem.fitted(theta)
    return problem.sum_by_text(off), problem.whole


def degrees_of_freedom(problem: Problem, ridge: float) -> float:
    """The trace of the map from targets to what is fitted of them."""
    if problem.small:
        return float(np.einsum("ij,ji->", problem.inverse(ridge), problem.matrix))
    return problem.spectral.degrees(ridge * problem.operator.scale, ROUGH)


def _constant(operator: Operator) -> bool:
    return isinstance(operator, Affine) and operator.symmetric is None
