"""Switching linear dynamics of sequences, by dynamax."""

import functools
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
    model = _model(count, before.shape[-1])
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
    return np.asarray(_log_likelihoods(fit.model, fit.parameters, before, after))


def occupation(
    fit: Switching, before: Sequences, after: Sequences
) -> Float[np.ndarray, "time regime"]:
    """How probable each regime is at each time, in the mean over sequences, given all of each."""
    if fit.model is None:
        return np.ones((before.shape[1], 1))

    return np.asarray(_smoothed(fit.model, fit.parameters, before, after)).mean(axis=0)


@functools.cache
def _model(count: int, rank: int) -> Any:
    """One of each size: programs are compiled for a model, and kept."""
    return library().LinearAutoregressiveHMM(count, rank)


@functools.partial(jax.jit, static_argnums=0)
def _log_likelihoods(model: Any, parameters: Any, before: Array, after: Array) -> Array:
    one = lambda x, y: model.marginal_log_prob(parameters, y, inputs=x)
    return jax.vmap(one)(before, after)


@functools.partial(jax.jit, static_argnums=0)
def _smoothed(model: Any, parameters: Any, before: Array, after: Array) -> Array:
    one = lambda x, y: model.smoother(parameters, y, inputs=x).smoothed_probs
    return jax.vmap(one)(before, after)


def _fitted(
    model: Any, before: Sequences, after: Sequences, count: int, iterations: int, seed: int
) -> Switching:
    start, key = _start(before, after, count, seed), jax.random.key(seed)
    parameters, likelihoods = _climbed(model, iterations, key, start, before, after)
    return Switching(model, parameters, float(likelihoods[-1]))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _climbed(
    model: Any, iterations: int, key: Array, start: dict[str, Array], before: Array, after: Array
) -> tuple[Any, Float[Array, " iterations"]]:
    """Parameters after so many rounds of expectation and maximization, and likelihoods on the way."""
    count = model.num_states
    parameters, properties = model.initialize(
        key,
        initial_probs=jnp.full(count, 1 / count),
        transition_matrix=jnp.asarray((np.eye(count) + 1 / count) / 2),
        **start,
    )
    ways = {"inputs": before, "num_iters": iterations, "verbose": False}
    return model.fit_em(parameters, properties, after, **ways)


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
