import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_instances, check_integer
from ..._products import exact_products
from ..._shown import OneLine
from ..profiles import draws, sweep
from ..recordings import Corpus, Recording, check_parts, sinks_of
from ._families import (
    AbstractFamily,
    AffineDrift,
    QuadraticPotential,
    affine_of,
)
from ._operators import Affine
from ._solver import (
    Problem,
    best_ridge,
    degrees_of_freedom,
    gradient_share,
    problem_of,
    share,
    solve,
    squares,
    times_of,
)
from ._steps import Step, step_from, steps_of

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DriftFit(OneLine):
    """A drift and a noise, dX = P_X b(X) dt + sqrt(2 noise) dB on the sphere, with time in layers.

    - `r2_train`, `r2_test`: the share 1 - sum |u - h P b|^2 / sum |u|^2 of the squared increments that is
      explained; `r2_interval` the 95 % bootstrap interval of the latter over held-out texts.
    - `noise`: what is left of the train increments, with degrees of freedom; `noise_error` its
      standard error if the rest is white noise, `noise_interval` by bootstrap over texts (of the
      residuals, at the same fit). `noise_naive` calls all of the increments noise.
    - `gradient_share`: the share of the squared fitted increments that a quadratic potential has.
    - `degrees`, `ridge`: effective number of parameters, and the ridge that was chosen, relative.
    - `drift`: b of one point, for families that do not depend on the cloud, else None.
      `coefficients`: those of the other families. `converged`: whether the equations were solved.
    """

    family: AbstractFamily
    r2_train: float
    r2_test: float
    r2_interval: tuple[float, float]
    noise: float
    noise_error: float
    noise_interval: tuple[float, float]
    noise_naive: float
    gradient_share: float
    degrees: float
    ridge: float
    converged: bool
    drift: AffineDrift | None
    coefficients: Float[Array, " size"] | None

    @property
    def potential(self) -> QuadraticPotential | None:
        """V with b = -grad V, as flows take it; None for families that have none of one point."""
        if not self.family.gradient or self.drift is None:
            return None
        return QuadraticPotential(self.drift.matrix, self.drift.offset)

    @property
    def contraction(self) -> float:
        """A rate at which laws under this drift and noise approach each other in W2, at least:

            noise (d - 2) - (largest - least eigenvalue of S) - |g|,    b(x) = S x + g,

        the Ricci curvature of the sphere and the Hessian of V along it (Bakry and Emery, 1985). Where
        it is positive the fitted layer contracts; NaN for families without a potential.
        """
        if self.potential is None:
            return float("nan")
        values = np.linalg.eigvalsh(np.asarray(self.potential.matrix))
        pull = np.linalg.norm(np.asarray(self.potential.offset))
        return float(self.noise * (len(values) - 2) - (values[-1] - values[0]) - pull)


def fit_drift(
    train: Corpus,
    held_out: Corpus,
    family: AbstractFamily,
    layer: int | None = None,
    ridges: Iterable[float] = RIDGES,
    sinks: float | None = 5.0,
    seed: int = 0,
) -> DriftFit:
    """The drift of a family that explains the steps of recorded directions best, and what it leaves.

        u_i = log_{x_i}(x_i'),    minimize  mean |u - h P b(x)|^2 / h + ridge |parameters|^2

        fit = fit_drift(corpus[:12], corpus[12:], Quadratic(), layer=10)
        fit.r2_test, fit.noise, fit.gradient_share
        flow = GradientFlow(Sphere(d), Potential(fit.potential), noise=fit.noise)

    One drift is fitted to all steps of the recordings, or to that from `layer` to the next alone; h is
    the number of layers between. Only h b and h noise can be told. Families: `Constant()`, `Linear()`,
    `Quadratic()`, `AttentionPotential(beta)`, `Writes()`. The largest share explained on the last quarter of
    the train texts (of the tokens, of one text) picks the ridge among `ridges`, and the fit is then made to
    all of train; `held_out` texts have no part in either. `seed` draws the intervals.
    Tokens longer than `sinks` times the median of a layer are left out (None keeps them).

        noise = sum |u - h P b|^2/h / (2 (n (d-1) - degrees))

    The noise of a network that is deterministic is misfit: what no drift of the family says. With as
    many parameters as numbers the ridge decides; look at `r2_test`.

    Raises ValueError for recordings that do not fit together, a text in both parts, a layer that has none
    after it, and a family that needs what was not recorded.
    """
    return fit_drifts(train, held_out, [family], layer, ridges, sinks, seed)[0]


@exact_products
def fit_drifts(
    train: Corpus,
    held_out: Corpus,
    families: Iterable[AbstractFamily],
    layer: int | None = None,
    ridges: Iterable[float] = RIDGES,
    sinks: float | None = 5.0,
    seed: int = 0,
) -> list[DriftFit]:
    """`fit_drift` of several families, which share the increments, their covariance and its eigenbasis."""
    families = check_instances(families, AbstractFamily, "a family", "pass Linear()")
    check_integer(seed, "seed", 0)
    layer = None if layer is None else check_integer(layer, "layer", 0)
    grid = sweep(ridges, "ridges")
    texts, others = _texts(train, held_out, sinks, layer)
    steps, tests = steps_of(texts, layer), steps_of(others, layer)
    centre = np.concatenate([step.x for step in steps]).mean(axis=0)
    whole, test = _Part(steps, centre, {}), _Part(tests, centre, {})
    most, kept = (_Part(own, centre, {}) for own in _split(steps))
    return [_fitted(family, whole, test, most, kept, grid, seed) for family in families]


class _Part(NamedTuple):
    """Some of the steps, and what fits to them have in common."""

    steps: list[Step]
    centre: np.ndarray
    shared: dict[str, Any]

    def problem(self, family: AbstractFamily) -> Problem:
        operator = family.operator(self.steps, self.centre, times_of(self.steps))
        return problem_of(self.steps, operator, self.shared)


def _fitted(
    family: AbstractFamily, train: _Part, test: _Part, most: _Part, kept: _Part,
    grid: list[float], seed: int,
) -> DriftFit:  # fmt: skip
    problem = train.problem(family)
    ridge = grid[0]
    if len(grid) > 1 and problem.operator.penalized.any():
        if not kept.steps:
            raise ValueError(
                "expected two tokens or more to choose a ridge by, got one; pass ridges=[0.1]."
            )
        ridge = best_ridge(most.problem(family), kept.problem(family), grid)
    theta, converged = solve(problem, ridge)
    centre = train.centre
    return _measured(family, problem, test.problem(family), theta, ridge, centre, converged, seed)


def _texts(
    train: Corpus, held_out: Corpus, sinks: float | None, layer: int | None
) -> tuple[list[Recording], list[Recording]]:
    """The texts without their sinks, which are those of all layers; the step from `layer` on alone."""
    texts, others = check_parts(train, held_out)
    both = [*texts, *others]
    gone = [sinks_of(text, sinks) for text in both]
    parts = [step_from(text, layer).drop(own) for text, own in zip(both, gone, strict=True)]
    return parts[: len(texts)], parts[len(texts) :]


def _split(steps: list[Step]) -> tuple[list[Step], list[Step]]:
    """Three quarters of the texts and one; of the tokens, where there is one text."""
    texts = sorted({step.text for step in steps})
    if len(texts) > 1:
        last = {*texts[-max(1, len(texts) // 4) :]}
        return [s for s in steps if s.text not in last], [s for s in steps if s.text in last]
    if len(steps[0].x) < 2:
        return steps, []
    cut = [max(1, 3 * len(step.x) // 4) for step in steps]
    first = [_part(step, slice(0, c)) for step, c in zip(steps, cut, strict=True)]
    return first, [_part(step, slice(c, None)) for step, c in zip(steps, cut, strict=True)]


def _part(step: Step, rows: slice) -> Step:
    writes = step.writes and (step.writes[0][rows], step.writes[1][rows])
    return dataclasses.replace(step, x=step.x[rows], u=step.u[rows], writes=writes)


def _measured(
    family: AbstractFamily, problem: Problem, test: Problem, theta: np.ndarray, ridge: float,
    centre: np.ndarray, converged: bool, seed: int,
) -> DriftFit:  # fmt: skip
    left, whole = squares(problem, theta)
    left_test, whole_test = squares(test, theta)
    degrees = degrees_of_freedom(problem, ridge)
    free = problem.count - degrees
    noise = left.sum() / (2 * free) if free > 0.5 else float("nan")
    drift = affine_of(problem.operator, theta, centre)
    weights = draws(len(left), seed) * len(left)
    resampled = draws(len(left_test), seed)
    return DriftFit(
        family=family,
        r2_train=float(share(left.sum(), whole.sum())),
        r2_test=float(share(left_test.sum(), whole_test.sum())),
        r2_interval=_ends(share(resampled @ left_test, resampled @ whole_test), len(left_test)),
        noise=float(noise),
        noise_error=float(noise * np.sqrt(2 / free)) if free > 0.5 else float("nan"),
        noise_interval=_ends((weights @ left) / (2 * free), len(left)),
        noise_naive=float(whole.sum() / (2 * problem.count)),
        gradient_share=_gradient_share(family, problem, theta, centre),
        degrees=degrees,
        ridge=ridge,
        converged=converged,
        drift=drift,
        coefficients=None if drift is not None else jnp.asarray(theta),
    )


def _gradient_share(
    family: AbstractFamily, problem: Problem, theta: np.ndarray, centre: np.ndarray
) -> float:
    if family.gradient:
        return 1.0
    times = problem.roots[:, 0] ** 2
    return gradient_share(problem, theta, Affine(problem.x, problem.x - centre, times, True))


def _ends(values: np.ndarray, texts: int) -> tuple[float, float]:
    """The ends of a 95 % interval; NaN for a single text."""
    if texts < 2:
        return float("nan"), float("nan")
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
