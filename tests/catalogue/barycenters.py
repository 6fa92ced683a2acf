"""Valid calls of barycenters of clouds."""

import jax.numpy as jnp

from catalogue.entry import entry
from catalogue.things import CLOUDS, HALVES, ROW
from meanfield.transport import Exact, SquaredGeodesic, barycenter

GEODESIC = SquaredGeodesic()
ENTRIES = [
    entry(
        "transport.barycenter",
        slow_=True,
        clouds=CLOUDS,
        weights=HALVES,
        cost=GEODESIC,
        epsilon=0.3,
        tol=1e-3,
        max_steps=50,
    ),
    entry(
        "transport.barycenter.exact",
        barycenter,
        slow_=True,
        clouds=CLOUDS,
        weights=HALVES,
        cost=GEODESIC,
        method=Exact(),
        tol=1e-3,
        max_steps=50,
        kinds_={"cost": None},
    ),
    entry(
        "transport.quantile_barycenter",
        clouds=jnp.stack([ROW, ROW**3]),
        weights=HALVES,
        fine_={("clouds", "ragged rows")},
        kinds_={"clouds": "array"},
    ),
    *(
        entry(
            f"transport.{name}",
            slow_=True,
            clouds=CLOUDS,
            weights=HALVES,
            epsilon=0.3,
            tol=1e-8,
            fine_={("tol", "zero")},
        )
        for name in ("barycenter_displacement", "consensus_displacement", "disagreement")
    ),
]
