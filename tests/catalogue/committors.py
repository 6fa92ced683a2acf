"""Valid calls of committors of clouds."""

import jax.numpy as jnp

import meanfield as mf
from catalogue.entry import entry
from catalogue.things import KEY, SOFTMAX
from meanfield.dynamics import AttentionFlow


def pair_together(x):
    """A set: two tokens within an angle of arccos .9."""
    return x[0] @ x[1] - 0.9


def pair_apart(x):
    """A set: two tokens that are nearly opposite."""
    return -x[0] @ x[1] - 0.9


def cosine(x):
    """A feature: how near the first two tokens are."""
    return x[0] @ x[1]


COSINES = (-0.6, -0.3, 0.0, 0.3, 0.6)
NOISY = AttentionFlow(mf.geometry.Sphere(2), SOFTMAX, noise=0.5)
PAIRS = jnp.stack([jnp.array([[1.0, 0.0], [c, (1 - c**2) ** 0.5]]) for c in COSINES])
ENTRIES = [
    entry(
        "landscape.committor_by_runs",
        slow_=True,
        flow=NOISY,
        starts=PAIRS,
        a=pair_together,
        b=pair_apart,
        key=KEY,
        t_end=20.0,
        dt=0.1,
        runs=5,
        features=cosine,
        ridge=1.0,
        single_=None,
        kinds_={
            "starts": "array",
            "a": "function",
            "b": "function",
            "t_end": "positive",
            "runs": "count",
            "features": "function",
            "ridge": "positive",
        },
    ),
    entry(
        "landscape.committor_on_circle",
        slow_=True,
        flow=NOISY,
        n=2,
        a=pair_together,
        b=pair_apart,
        nodes=32,
        single_=None,
        kinds_={"a": "function", "b": "function", "nodes": "count"},
    ),
]
