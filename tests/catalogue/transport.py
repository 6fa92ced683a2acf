"""Valid calls of optimal transport."""

import jax.numpy as jnp

from catalogue import barycenters, bridges, sequences
from catalogue.entry import SAME_SIZE, entry
from catalogue.things import (
    ANGLES,
    CIRCLE,
    COV,
    COV2,
    FLAT_X,
    FLAT_Y,
    HALVES,
    MEAN,
    ROW,
    S2,
    SPHERE,
    V,
    W,
    X,
    Y,
    well,
)  # fmt: skip
from meanfield.energies import Potential
from meanfield.transport import (
    Accuracy,
    Box,
    DotProduct,
    Entropic,
    Exact,
    GeodesicGrid,
    HeatGrid,
    SquaredEuclidean,
    SquaredGeodesic,
    point_geometry,
    solve,
    wasserstein,
)

BOX = Box(-2.0, 2.0, 12)
GAUSS = BOX.evaluate(lambda x: jnp.exp(-(x[0] ** 2)))
GAUSS2 = BOX.evaluate(lambda x: jnp.exp(-2 * (x[0] - 0.3) ** 2))
GEODESIC = SquaredGeodesic()
PAIR, PLAN = (("x", "a"), ("y", "b")), jnp.outer(W, V)
GEOMETRY = point_geometry(X, Y, epsilon=0.3)
PLUMBING = {"tol": None, "max_iterations": None}
NUMBER = {"tau": None, "epsilon": None, "temperature": None, "accuracy": None}
ENTROPIC = solve(GEOMETRY, W, V)
COUPLED = wasserstein(X, Y, W, V)
LAWS = [(MEAN, COV), (-MEAN, COV2)]
BOTH = jnp.stack([GAUSS, GAUSS2])


def _gaussians():
    from meanfield.measures import Gaussian

    return [Gaussian(mean, cov) for mean, cov in LAWS]


SPHERICAL = {"x": X, "y": Y, "a": W, "b": V, "clouds_": PAIR}
FLAT = {**SPHERICAL, "x": FLAT_X, "y": FLAT_Y}
COSTS = [
    made
    for name, cost, x, y in (
        ("SquaredEuclidean", SquaredEuclidean(), FLAT_X, FLAT_Y),
        ("SquaredGeodesic", GEODESIC, X, Y),
        ("DotProduct", DotProduct(), X, Y),
    )
    for made in (
        entry(f"transport.{name}"),
        entry(
            f"transport.{name}.__call__",
            cost.__call__,
            x=x[0],
            y=y[0],
            kinds_={"x": "array", "y": "array"},
        ),
        entry(f"transport.{name}.all_pairs", cost.all_pairs, x=x, y=y),
    )
]
ENTRIES = [
    *COSTS,
    *barycenters.ENTRIES,
    *bridges.ENTRIES,
    *sequences.ENTRIES,
    entry("transport.Accuracy", tol=1e-9, max_iterations=500, kinds_=PLUMBING),
    entry("transport.Box", low=-2.0, high=2.0, cells=8, kinds_={"low": "real", "high": "real"}),
    entry("transport.Box.evaluate", BOX.evaluate, function=lambda x: jnp.exp(-(x[0] ** 2))),
    entry("transport.Box.total", BOX.total, energy=Potential(well), density=GAUSS),
    entry("transport.GeodesicGrid", basis=S2),
    entry(
        "transport.GeodesicGrid.evaluate", GeodesicGrid(S2).evaluate, function=lambda x: 2 + x[0]
    ),
    entry("transport.HeatGrid", basis=CIRCLE),
    entry("transport.HeatGrid.evaluate", HeatGrid(CIRCLE).evaluate, function=lambda x: 2 + x[0]),
    entry("transport.Exact"),
    entry("transport.Entropic", epsilon=0.3, tol=1e-6, max_iterations=500, relative_epsilon=0.01),
    entry("transport.wasserstein", **SPHERICAL, cost=GEODESIC, method=Exact()),
    entry(
        "transport.wasserstein.entropic",
        wasserstein,
        **SPHERICAL,
        cost=GEODESIC,
        method=Entropic(0.3),
        kinds_={"cost": None},
    ),
    entry("transport.wasserstein.flat", wasserstein, **FLAT),
    entry(
        "transport.wasserstein.default_epsilon", wasserstein, slow_=True, **FLAT, method=Entropic()
    ),
    entry(
        "transport.wasserstein_line",
        x=ROW[:5],
        y=ROW[1:],
        a=W,
        b=V,
        p=2.0,
        clouds_=PAIR,
        kinds_={"x": "array", "y": "array"},
    ),
    entry(
        "transport.wasserstein_circle",
        x=ANGLES,
        y=ANGLES + 0.5,
        a=W,
        b=V,
        p=2.0,
        clouds_=PAIR,
        kinds_={"x": "array", "y": "array"},
    ),
    entry(
        "transport.sinkhorn_divergence",
        **SPHERICAL,
        cost=GEODESIC,
        epsilon=0.3,
        tol=1e-6,
        max_iterations=500,
    ),
    entry(
        "transport.sinkhorn_divergence.default_epsilon",
        lambda x, y, a, b, relative_epsilon: _divergence(x, y, a, b, relative_epsilon),
        slow_=True,
        **FLAT,
        relative_epsilon=0.05,
        fine_={("a", "None"), ("b", "None")},
    ),
    entry("transport.symmetric_root", a=COV, kinds_={"a": None}),
    entry(
        "transport.fixed_support_barycenter",
        slow_=True,
        domain=BOX,
        densities=BOTH,
        weights=HALVES,
        epsilon=0.3,
        tol=1e-7,
        max_steps=500,
        single_=1e4,  # marginals right to 32 units leave 300 times that where iterations gain 5 %
    ),
    entry(
        "transport.gaussian_barycenter", laws=_gaussians(), weights=HALVES, tol=1e-10, max_steps=99
    ),
    entry("transport.plan_displacement", x=X, y=Y, plan=PLAN, cost=GEODESIC, collapses_=SAME_SIZE),
    entry(
        "transport.displacement",
        **SPHERICAL,
        epsilon=0.3,
        cost=GEODESIC,
        tol=1e-8,
        fine_={("tol", "zero")},
    ),
    entry("transport.cost_of", geometry=SPHERE),
    entry(
        "transport.point_geometry",
        x=X,
        y=Y,
        cost=GEODESIC,
        epsilon=0.3,
        block=2,
        collapses_=(),
        kinds_={"geometry": None},
        single_=None,
    ),
    entry(
        "transport.solve",
        geometry=GEOMETRY,
        a=W,
        b=V,
        tol=1e-6,
        max_iterations=500,
        fine_={("tol", "zero")},
        kinds_={"geometry": None},
    ),
    entry("transport.Solution.average", ENTROPIC.average, values=Y),
    entry("transport.Solution.plan", ENTROPIC.plan),
    entry("transport.Transport.average", COUPLED.average, values=Y),
    entry("transport.Transport.plan", COUPLED.plan),
    entry("transport.Coupling.average", COUPLED.solution.average, values=Y),
    entry("transport.filled", density=GAUSS),
    entry(
        "transport.self_potential",
        domain=BOX,
        density=GAUSS,
        tau=jnp.asarray(0.5),
        epsilon=jnp.asarray(0.5),
        accuracy=Accuracy(1e-9, 500),
        kinds_=NUMBER | {"density": "array"},
    ),
    entry(
        "transport.proximal_step",
        domain=BOX,
        density=GAUSS,
        potential=0 * GAUSS,
        temperature=jnp.asarray(1.0),
        tau=jnp.asarray(0.5),
        epsilon=jnp.asarray(0.5),
        accuracy=Accuracy(1e-9, 500),
        guess=GAUSS,
        fine_={("guess", "NaN under jit")},  # only where to start from: what is found is checked
        kinds_=NUMBER | {"density": "array", "potential": "array", "guess": "array"},
    ),
]


def _divergence(x, y, a, b, relative_epsilon):
    from meanfield.transport import sinkhorn_divergence

    return sinkhorn_divergence(x, y, a, b, relative_epsilon=relative_epsilon)
