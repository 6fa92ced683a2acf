"""Logistic regression of counts on features, with what it is worth on data that it has not seen."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

_NEWTON = 100
"""The most steps of Newton's method."""
_SHARP = 1e-9
"""The relative length of a step at which it has converged."""
_FOLDS = 5
_GROUPS = 10


class Fit(NamedTuple):
    """Center and scale [p] of features, coefficients [p + 1], the constant first, and two covariances
    [2, p + 1, p + 1] of them: by the chance of outcomes, and from start to start."""

    center: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    covariances: np.ndarray
    converged: bool

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return expit(_design(features, self.center, self.scale) @ self.coefficients)


class Worth(NamedTuple):
    """Scores of probabilities that were told for starts left out of the fit, and groups of these starts."""

    brier: float
    climatology: float
    misfit: float
    misfit_error: float
    predicted: np.ndarray
    hits: np.ndarray
    trials: np.ndarray


def logistic(features: np.ndarray, hits: np.ndarray, trials: np.ndarray, ridge: float) -> Fit:
    """The fit of hits [m] in trials [m] on features [m, p], of least -log likelihood + ridge |theta|^2/2.

    theta are the coefficients of features of variance one, without the constant. With H the Hessian,

        H^{-1} F H^{-1},    H^{-1} sum_i s_i s_i^T H^{-1},    s_i = z_i (hits_i - trials_i q_i)/(1 - h_i)

    are their covariances: the first, by Fisher's information F, for features that suffice, the second, a
    sandwich, for others too, but too small of few outcomes. The leverages h_i, by which starts draw
    the fit to them, are taken off. Source: MacKinnon and White, J. Econometrics 29 (1985) 305, HC3.
    """
    center, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-12 * (1 + np.abs(center)), scale, np.inf)
    z = _design(features, center, scale)
    penalty = np.append(0.0, np.full(features.shape[1], ridge))
    theta, converged = np.zeros(z.shape[1]), False
    for _ in range(_NEWTON):
        step = np.linalg.solve(*_newton(z, hits, trials, penalty, theta))
        shorter = _shortened(z, hits, trials, penalty, theta, step)
        theta = theta + shorter * step
        if np.abs(step).max() <= _SHARP * (1 + np.abs(theta).max()):
            converged = True
            break
    bend, _ = _newton(z, hits, trials, penalty, theta)
    inverse, q = np.linalg.inv(bend), expit(z @ theta)
    leverage = np.einsum("ij,jk,ik->i", z, inverse, z) * trials * q * (1 - q)
    scores = ((hits - trials * q) / (1 - leverage))[:, None] * z
    middles = np.stack([bend - np.diag(penalty), scores.T @ scores])
    return Fit(center, scale, theta, inverse @ middles @ inverse, converged)


def _design(features: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(features), 1)), (features - center) / scale], axis=1)


def _newton(z, hits, trials, penalty, theta) -> tuple[np.ndarray, np.ndarray]:
    """Minus the Hessian, and the gradient, of the penalized log likelihood."""
    q = expit(z @ theta)
    bend = (z * (trials * q * (1 - q))[:, None]).T @ z + np.diag(penalty + 1e-10)
    return bend, z.T @ (hits - trials * q) - penalty * theta


def _shortened(z, hits, trials, penalty, theta, step) -> float:
    """The largest of 1, 1/2, ... by which a step does not lower the penalized log likelihood."""

    def value(theta):
        eta = z @ theta
        return hits @ eta - trials @ np.logaddexp(0, eta) - penalty @ theta**2 / 2

    share, before = 1.0, value(theta)
    while share > 1e-6 and value(theta + share * step) < before - 1e-12 * abs(before):
        share /= 2
    return share


def worth(features: np.ndarray, hits: np.ndarray, trials: np.ndarray, ridge: float) -> Worth:
    """What the fit tells of each fifth of the starts that is left out of it, against what came.

    Of several runs a start, the mean of (share - q)^2 less the variance of the share is that of
    (p - q)^2, p the true probability: it is right on average, and may be negative.
    """
    fold = np.arange(len(hits)) % _FOLDS
    told = np.empty(len(hits))
    for k in np.unique(fold):
        out = fold == k
        told[out] = logistic(features[~out], hits[~out], trials[~out], ridge)(features[out])
    mean, share = hits.sum() / trials.sum(), hits / trials
    brier = (hits * (1 - told) ** 2 + (trials - hits) * told**2).sum() / trials.sum()
    several = trials > 1
    noise = (share * (1 - share))[several] / (trials[several] - 1)
    each = (share - told)[several] ** 2 - noise
    error = each.std(ddof=1) / np.sqrt(each.size) if each.size > 1 else np.nan
    misfit = each.mean() if each.size else np.nan
    groups = np.array_split(np.argsort(told, kind="stable"), min(_GROUPS, len(hits)))
    summed = [
        (told[g] @ trials[g] / trials[g].sum(), hits[g].sum(), trials[g].sum()) for g in groups
    ]
    return Worth(brier, mean * (1 - mean), misfit, error, *np.array(summed).T)
