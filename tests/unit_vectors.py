"""Points of spheres by NumPy, which compiles nothing."""

import jax.numpy as jnp
import numpy as np


def unit_vectors(seed, *shape):
    """Independent uniform points of the unit sphere of the last axis, the same ones in every run."""
    x = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True))


def normal(seed, *shape):
    """Independent standard normal numbers, the same ones in every run."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))
