"""Ridge regression of tangent increments on tangent fields."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.linalg import pinvh
from scipy.sparse.linalg import LinearOperator, cg

from ._operators import Flat, Operator, Rows
from ._steps import Step

DENSE = 400
"""Parameters up to which the normal equations are written out; beyond, conjugate gradients."""
TOLERANCE, ROUGH = 1e-6, 1e-2
"""Of conjugate gradients, relative to the right-hand side: for parameters, and for what is random or a
share, of which the error is the square."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """Increments u ~ h P_x b(x) with errors of variance proportional to h, each divided by sqrt h.

    `roots` [n, 1] are sqrt h, `targets` [n, d] are u/sqrt h, and `texts` [n] says whose they are.
    """

    x: Rows
    targets: Rows
    roots: Float[np.ndarray, "n 1"]
    texts: np.ndarray
    operator: Operator

    @property
    def count(self) -> int:
        """Numbers that are fitted: n (d - 1)."""
        n, d = self.x.shape
        return n * (d - 1)

    def fitted(self, theta: Flat) -> Rows:
        """What the parameters say of the targets."""
        return _tangent(self.x, self.roots * self.operator.apply(theta))

    def correlate(self, targets: Rows) -> Flat:
        """The right-hand side of the normal equations."""
        return self.operator.adjoint(self.roots * targets) / len(self.x)

    def normal(self, theta: Flat) -> Flat:
        """The matrix of the normal equations, without the ridge."""
        return self.correlate(self.fitted(theta))


def problem_of(steps: list[Step], operator: Operator) -> Problem:
    """The regression of all increments of these steps."""
    roots = np.sqrt(times_of(steps))[:, None]
    u = np.concatenate([step.u for step in steps])
    texts = np.concatenate([np.full(len(step.x), step.text) for step in steps])
    x = np.concatenate([step.x for step in steps])
    return Problem(x, u / roots, roots, texts, operator)


def times_of(steps: list[Step]) -> Float[np.ndarray, " n"]:
    """The time of each row."""
    return np.concatenate([np.full(len(step.x), step.time) for step in steps])


def solve(
    problem: Problem, right: Flat, ridge: float, tolerance: float = TOLERANCE
) -> tuple[Flat, bool]:
    """The parameters of a right-hand side, and whether they were found.

    `ridge` is relative to the scale of the operator. Directions in which no field is tangent, such as
    M = identity, have parameters 0.
    """
    operator = problem.operator
    held = ridge * operator.scale * operator.penalized
    if operator.size <= DENSE:
        matrix = _dense(problem)
        return np.asarray(pinvh(matrix + np.diag(held), rtol=1e-12)) @ right, True
    whole = _linear(operator.size, lambda t: problem.normal(t) + held * t)
    near = _linear(operator.size, lambda t: operator.precondition(t, ridge * operator.scale))
    theta, info = cg(whole, right, rtol=tolerance, maxiter=200, M=near)
    return theta, info == 0


def sketch(problem: Problem, ridge: float) -> Flat:
    """The parameters, but for the projection where they are too many: good enough to choose a ridge."""
    right, operator = problem.correlate(problem.targets), problem.operator
    if operator.size <= DENSE:
        return solve(problem, right, ridge)[0]
    return operator.precondition(right, ridge * operator.scale)


def degrees_of_freedom(problem: Problem, ridge: float) -> float:
    """The trace of the map from targets to what is fitted of them.

    By one random vector of signs where it is not written out: its relative error is sqrt(2/trace).
    """
    operator = problem.operator
    if operator.size <= DENSE:
        matrix = _dense(problem)
        held = ridge * operator.scale * operator.penalized
        return float(np.trace(np.asarray(pinvh(matrix + np.diag(held), rtol=1e-12)) @ matrix))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], operator.size)
    return float(signs @ solve(problem, problem.normal(signs), ridge, ROUGH)[0])


def _linear(size: int, function: Callable[[Flat], Flat]) -> LinearOperator:
    return LinearOperator((size, size), function, dtype=float)  # pyright: ignore[reportCallIssue]


def _dense(problem: Problem) -> np.ndarray:
    matrix = np.stack([problem.normal(row) for row in np.eye(problem.operator.size)])
    return (matrix + matrix.T) / 2


def _tangent(x: Rows, v: Rows) -> Rows:
    return v - (x * v).sum(axis=1, keepdims=True) * x
