"""Points of spheres by NumPy, which compiles nothing."""

import jax.numpy as jnp
import numpy as np


def unit_vectors(seed, *shape):
    """Independent uniform points of the unit sphere of the last axis, the same ones in every run."""
    x = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def on_circle(*angles):
    """The points of the unit circle at these angles, several numbers or an array of them."""
    angles = np.ravel(angles)
    return jnp.asarray(np.stack([np.cos(angles), np.sin(angles)], axis=1))


def normal(seed, *shape):
    """Independent standard normal numbers, the same ones in every run."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def tangent(seed, x):
    """Normal numbers without their part along unit vectors x, the same ones in every run."""
    x = np.asarray(x)
    v = np.random.default_rng(seed).normal(size=x.shape)
    return jnp.asarray(v - np.sum(x * v, axis=-1, keepdims=True) * x)


def cap(seed, pole, width, n):
    """n points of the unit sphere about a pole, further from it for a greater width."""
    x = np.asarray(pole) + width * np.random.default_rng(seed).normal(size=(n, len(pole)))
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def masses(seed, n, concentration=1.0):
    """Positive masses of sum 1, by a Dirichlet law, the same ones in every run."""
    return jnp.asarray(np.random.default_rng(seed).dirichlet(np.full(n, concentration)))
