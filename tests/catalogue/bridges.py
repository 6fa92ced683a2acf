"""Valid calls of paths between laws and of distances between spaces, a part of those of transport."""

import jax.numpy as jnp

from catalogue.entry import entry
from catalogue.things import COV, COV2, FLAT_Y, W, X
from meanfield.transport import SquaredEuclidean

ENTRIES = [
    entry(
        "transport.gromov_wasserstein",
        x=X,
        y=FLAT_Y[:4],
        a=W,
        b=jnp.array([0.4, 0.3, 0.2, 0.1]),
        cost=SquaredEuclidean(),
        relative_epsilon=0.05,
        starts=2,
        tol=1e-6,
        max_iterations=50,
        slow_=True,
        clouds_=(("x", "a"), ("y", "b")),
        kinds_={"starts": "count"},
    ),
    entry(
        "transport.best_schedule",
        low=0.5,
        high=3.0,
        kinds_={"low": "positive", "high": "positive"},
    ),
    entry("transport.gaussian_bridge", A=COV, B=COV2, s=0.7),
]
