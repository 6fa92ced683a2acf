"""Valid calls of distances between Gaussian laws, and between laws of sequences."""

import math

import jax.numpy as jnp

from catalogue.entry import entry
from catalogue.things import COV, COV2, FLAT_X, FLAT_Y, MEAN, V, W, X, Y
from meanfield import transport

PATHS, PATHS_Y = FLAT_X[:, :2], FLAT_Y[:, :2]
OF_PATHS = {"x": "array", "y": "array"}
HALVES_OF_3 = jnp.array([0.5, 1.0, 0.5])
CHAIN = (jnp.eye(5) + jnp.roll(jnp.eye(5), 1, axis=0)) / 2
ENTRIES = [
    entry("transport.bures", cov1=COV, cov2=COV2),
    entry("transport.gaussian_wasserstein", mean1=MEAN, cov1=COV, mean2=-MEAN, cov2=COV2),
    entry("transport.adapted_gaussian", mean1=MEAN, cov1=COV, mean2=-MEAN, cov2=COV2, d=1),
    entry("transport.gaussian_knothe_rosenblatt", mean1=MEAN, cov1=COV, mean2=-MEAN, cov2=COV2),
    entry("transport.structural_covariance", linear=jnp.tril(COV, -1), noise=HALVES_OF_3),
    entry("transport.adapted_wasserstein", x=PATHS, y=PATHS_Y, a=W, b=V, kinds_=OF_PATHS),
    entry(
        "transport.adapted_wasserstein.entropic",
        transport.adapted_wasserstein,
        x=PATHS,
        y=PATHS_Y,
        epsilon=0.5,
        kinds_=OF_PATHS,
        fine_={("x", "integers"), ("y", "integers")},
    ),
    entry("transport.knothe_rosenblatt", x=PATHS, y=PATHS_Y, a=W, b=V, kinds_=OF_PATHS),
    entry(
        "transport.adapted_empirical",
        x=PATHS[:, :, None],
        spacing=0.5,
        kinds_={"x": "array"},
        single_=math.inf,
    ),
    entry("transport.adapted_rate", t=2, d=1, kinds_={"t": "count"}),
    entry(
        "transport.adapted_chains",
        x=X,
        linear1=CHAIN,
        y=Y,
        linear2=CHAIN.T,
        steps=3,
        a=W,
        b=V,
        collapses_=(),
    ),
]
