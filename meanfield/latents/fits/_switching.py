"""Switching linear dynamics of sequences, by dynamax."""

import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float
from scipy.cluster.vq import kmeans2

from ..._extras import module_of

Sequences = Float[np.ndarray, "sequence time rank"]


class Switching(NamedTuple):
    """Fitted dynamics y_{t+1} = W_k y_t + b_k + N(0, S_k), with k a Markov chain: dynamax's model of them.

    For a single regime, which dynamax has not, `model` is None and `parameters` are W, b and S.
    """

    model: Any
    parameters: Any
    likelihood: float


def library() -> Any:
    """dynamax's hidden Markov models. Raises ValueError without the extra."""
    return module_of("regimes", "dynamax", "regimes", "dynamax.hidden_markov_model")


def fit_switching(
    before: Sequences, after: Sequences, count: int, iterations: int, starts: int, seed: int
) -> Switching:
    """The likeliest of several fits by expectation and maximization, begun from clusters of increments."""
    if count == 1:
        return Switching(None, _start(before, after, 1, seed), float("nan"))
    model = library().LinearAutoregressiveHMM(count, before.shape[-1])
    found = [_fitted(model, before, after, count, iterations, seed + k) for k in range(starts)]
    return max(found, key=lambda one: one.likelihood)


def log_likelihood(
    fit: Switching, before: Sequences, after: Sequences
) -> Float[np.ndarray, " sequence"]:
    """log p(y_1, ..., y_T | y_0) of each sequence, summed over its regimes."""
    if fit.model is None:
        weights, bias, covariance = (np.asarray(part[0]) for part in fit.parameters.values())
        off = after - before @ weights.T - bias
        law: Any = scipy.stats.multivariate_normal
        return law(cov=covariance).logpdf(off).reshape(off.shape[:2]).sum(axis=1)
    each = jax.vmap(lambda x, y: fit.model.marginal_log_prob(fit.parameters, y, inputs=x))
    return np.asarray(jax.jit(each)(jnp.asarray(before), jnp.asarray(after)))


def occupation(
    fit: Switching, before: Sequences, after: Sequences
) -> Float[np.ndarray, "time regime"]:
    """How probable each regime is at each time, in the mean over sequences, given all of each."""
    if fit.model is None:
        return np.ones((before.shape[1], 1))

    def smoothed(x: Array, y: Array) -> Array:
        return fit.model.smoother(fit.parameters, y, inputs=x).smoothed_probs

    return np.asarray(jax.jit(jax.vmap(smoothed))(jnp.asarray(before), jnp.asarray(after))).mean(
        axis=0
    )


def _fitted(
    model: Any, before: Sequences, after: Sequences, count: int, iterations: int, seed: int
):
    start = _start(before, after, count, seed)
    parameters, properties = model.initialize(
        jax.random.key(seed),
        initial_probs=jnp.full(count, 1 / count),
        transition_matrix=jnp.asarray((np.eye(count) + 1 / count) / 2),
        **start,
    )
    parameters, likelihoods = model.fit_em(
        parameters,
        properties,
        jnp.asarray(after),
        inputs=jnp.asarray(before),
        num_iters=iterations,
        verbose=False,
    )
    return Switching(model, parameters, float(likelihoods[-1]))


def _start(before: Sequences, after: Sequences, count: int, seed: int) -> dict[str, Array]:
    """Least squares in each of `count` clusters of increments."""
    rank = before.shape[-1]
    steps = before.shape[0] * before.shape[1]
    if count * (rank + 1) > steps:
        raise _too_few(count, f"{steps} of {rank} numbers")
    x, y = before.reshape(-1, rank), after.reshape(-1, rank)
    label = _clusters(y - x, count, seed)
    weights, biases, covariances = [], [], []
    for own in (label == k for k in range(count)):
        if not own.any():
            raise _too_few(count, "none for one")
        design = np.concatenate([x[own], np.ones((own.sum(), 1))], axis=1)
        found = np.linalg.lstsq(design, y[own], rcond=None)[0]
        left = y[own] - design @ found
        weights.append(found[:-1].T)
        biases.append(found[-1])
        floor = 1e-9 * (np.trace(left.T @ left) / left.size + 1e-12) * np.eye(rank)
        covariances.append(left.T @ left / len(left) + floor)
    return {
        "emission_weights": jnp.asarray(np.stack(weights)),
        "emission_biases": jnp.asarray(np.stack(biases)),
        "emission_covariances": jnp.asarray(np.stack(covariances)),
    }


def _too_few(count: int, got: str) -> ValueError:
    return ValueError(
        f"expected steps that determine each of {count} regimes, got {got}; pass fewer regimes."
    )


def _clusters(steps: Float[np.ndarray, "n rank"], count: int, seed: int) -> np.ndarray:
    """A number for each step; a tenth of them are drawn, so that no cluster is empty."""
    if count == 1:
        return np.zeros(len(steps), int)
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an empty cluster
        label = kmeans2(steps, count, minit="++", rng=rng)[1]
    return np.where(rng.random(len(steps)) < 0.1, rng.integers(count, size=len(steps)), label)
