"""Bad input to barycenters, pulls and consensus is refused by a sentence that names the remedy."""

import jax.numpy as jnp
import pytest
from refusals import check_refused, each_of

from meanfield.attention import Softmax
from meanfield.dynamics import (
    AttentionFlow,
    ConsensusFlow,
    DebiasedPull,
    PreNorm,
    Schedule,
)
from meanfield.geometry import Euclidean, Product, Sphere
from meanfield.harmonics import Fourier
from meanfield.landscape import action
from meanfield.measures import Gaussian, Uniform
from meanfield.transport import (
    Box,
    DotProduct,
    HeatGrid,
    SquaredGeodesic,
    barycenter,
    consensus_displacement,
    cost_of,
    disagreement,
    displacement,
    fixed_support_barycenter,
    gaussian_barycenter,
    quantile_barycenter,
    wasserstein,
)

X = jnp.eye(3)
CLOUDS = jnp.stack([X, X])
BOX = Box(0.0, 1.0, 4)
ONES = jnp.ones((2, 4))
FLOW = AttentionFlow(Sphere(3), Softmax(1.0))
NOISY = AttentionFlow(Sphere(3), Softmax(1.0), noise=0.1)
SPHERICAL = SquaredGeodesic()
LAW = Gaussian(jnp.zeros(2), jnp.eye(2))


TABLE = [
    (
        "laws of several d",
        lambda: gaussian_barycenter([LAW, Gaussian(jnp.zeros(1), jnp.eye(1))]),
        "one dimension",
    ),
    ("no laws", lambda: gaussian_barycenter([]), "Gaussian(mean, cov)"),
    ("planes as lines", lambda: quantile_barycenter([X, X]), "drop the last axis"),
    ("clouds of several d", lambda: barycenter([X, X[:, :2]]), "one array a cloud"),
    (
        "masses for one of two",
        lambda: barycenter([X, X], masses=[jnp.ones(3) / 3]),
        "leave them out",
    ),
    ("a start elsewhere", lambda: barycenter([X, X], start=X[:, :2]), "leave it out"),
    (
        "a cost that is no distance",
        lambda: barycenter([X, X], cost=DotProduct()),
        "SquaredEuclidean()",
    ),
    ("laws that are not normal", lambda: gaussian_barycenter([Uniform(3)]), "Gaussian("),
    ("arrays for laws", lambda: gaussian_barycenter(CLOUDS), "laws=["),
    (
        "masses for one of two lines",
        lambda: quantile_barycenter([X[0], X[1]], masses=[None]),
        "leave them out",
    ),
    ("clouds that do not meet", lambda: displacement(X, X[:, :2], epsilon=1.0), "drop columns"),
    (
        "displacement off the sphere",
        lambda: displacement(2 * X, X, epsilon=1.0, cost=SPHERICAL),
        "normalize them",
    ),
    (
        "consensus off the sphere",
        lambda: disagreement(2 * CLOUDS, epsilon=1.0, cost=SPHERICAL),
        "normalize them",
    ),
    ("one cloud", lambda: consensus_displacement(X[None], epsilon=1.0), "at least two"),
    (
        "masses of one cloud",
        lambda: consensus_displacement(CLOUDS, epsilon=1.0, masses=jnp.ones((1, 3)) / 3),
        "one a point",
    ),
    (
        "densities elsewhere",
        lambda: fixed_support_barycenter(BOX, ONES[:, :3], epsilon=0.1),
        "domain.evaluate",
    ),
    (
        "mass 2",
        lambda: fixed_support_barycenter(BOX, 2 * ONES, epsilon=0.1),
        "domain.weights @ density",
    ),
    (
        "negative density",
        lambda: fixed_support_barycenter(BOX, -ONES, epsilon=0.1),
        "clip them at 0",
    ),
    (
        "heat kernel",
        lambda: fixed_support_barycenter(HeatGrid(Fourier(1)), jnp.ones((2, 4)), epsilon=0.1),
        "GeodesicGrid",
    ),
    ("one flow", lambda: ConsensusFlow([FLOW], 1.0), "[flow] * 3"),
    (
        "two spheres",
        lambda: ConsensusFlow([FLOW, AttentionFlow(Sphere(4), Softmax(1.0))], 1.0),
        "the same",
    ),
    (
        "radii",
        lambda: ConsensusFlow([AttentionFlow(Sphere(3), Softmax(1.0), PreNorm())] * 2, 1.0),
        "PostNorm()",
    ),
    (
        "noise in one",
        lambda: ConsensusFlow([FLOW, NOISY], 1.0),
        "to each",
    ),
    (
        "noises of two strengths",
        lambda: ConsensusFlow([NOISY, AttentionFlow(Sphere(3), Softmax(1.0), noise=0.4)], 1.0),
        "to each",
    ),
    (
        "three clouds for two",
        lambda: ConsensusFlow([FLOW] * 2, 1.0).check(jnp.stack([X] * 3)),
        "one a flow",
    ),
    (
        "merging",
        lambda: ConsensusFlow([FLOW] * 2, 1.0).reweight(jnp.ones(3) / 3),
        "leave out merge",
    ),
    ("pull of epsilon 0", lambda: DebiasedPull(0.0), "ExactPull"),
    ("one time", lambda: Schedule(jnp.zeros(1)), "linspace"),
    ("times out of order", lambda: Schedule(jnp.array([1.0, 0.0])), "sort them"),
    (
        "values for other times",
        lambda: Schedule(jnp.arange(2.0))(jnp.zeros(()), jnp.ones(3)),
        "one a time",
    ),
]


@each_of(TABLE)
def test_bad_input_names_the_remedy(call, remedy):
    check_refused(call, remedy)


def test_products_have_a_distance_by_a_cost_of_their_own():
    """What the refusal says: W2^2 of two single points is their squared distance."""
    geometry = Product(Sphere(3), Euclidean(1))
    check_refused(lambda: cost_of(geometry), "cost=lambda x, y: geometry.distance(x, y) ** 2")
    x, y = jnp.array([[1.0, 0.0, 0.0, 0.0]]), jnp.array([[0.0, 1.0, 0.0, 2.0]])
    found = wasserstein(x, y, cost=lambda x, y: geometry.distance(x, y) ** 2)
    assert found.cost == pytest.approx((jnp.pi / 2) ** 2 + 4, rel=1e-14)
    with pytest.raises(ValueError, match="pull of your own"):
        ConsensusFlow([AttentionFlow(geometry, Softmax(1.0))] * 2, 1.0, pull=DebiasedPull()).drift(
            jnp.asarray(0.0), jnp.stack([x, x]), None
        )


def test_what_is_no_flow_is_told_so_in_grammar():
    with pytest.raises(ValueError, match=r"expected a flow of particles for flow, got 3; pass Att"):
        action(3, jnp.ones((2, 3, 3)), jnp.arange(2.0))
