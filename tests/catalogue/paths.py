"""Valid calls of paths under noise and of unstable densities, a part of those of the landscape."""

import jax.numpy as jnp

import meanfield as mf
from catalogue.entry import entry
from catalogue.things import CIRCLE, SOFTMAX, TS, WAVE, X
from meanfield.dynamics import AttentionFlow, FokkerPlanck

NOISY = AttentionFlow(mf.geometry.Sphere(3), SOFTMAX, noise=0.2)
ENTRIES = [
    entry(
        "landscape.consensus_rates",
        value=jnp.diag(jnp.array([1.0, 0.6, -0.5])),
        beta=2.0,
        share=0.5,
        fine_={("beta", "negative")},
    ),
    entry(
        "landscape.action",
        flow=NOISY,
        path=jnp.stack([X, X, X]),
        ts=TS,
        kinds_={"path": "array"},
    ),
    entry(
        "landscape.minimum_action",
        slow_=True,
        flow=NOISY,
        start=X,
        end=X,
        time=1.0,
        points=4,
        max_steps=50,
        throw=False,
        single_=None,
        kinds_={"start": "points", "end": "points", "time": "positive", "points": "count"},
    ),
    entry(
        "landscape.density_saddle",
        slow_=True,
        equation=FokkerPlanck(CIRCLE, SOFTMAX, 2.0),
        guess=WAVE.at[1:].set(0),
        index=0,
        max_steps=20,
        throw=False,
        single_=None,
    ),
]
