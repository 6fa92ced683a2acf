"""Wrong calls of the Sinkhorn core and of Sinkhorn attention, refused with the remedy."""

import jax
import jax.numpy as jnp
import pytest
from refusals import check_refused

import meanfield as mf
from meanfield.attention import Harmonic, Sinkhorn
from meanfield.energies import Sinkformer
from meanfield.transport import SquaredEuclidean, SquaredGeodesic, point_geometry, solve

X, Y = jnp.eye(3), jnp.eye(3)[:2]
HUGE = jax.ShapeDtypeStruct((10**7, 3), jnp.float64)
W = jnp.array([0.5, 0.25, 0.25])
NEAR = jnp.array([[1.0, 0, 0], [0.8, 0.6, 0], [0.6, 0.8, 0], [0, 1, 0]])


def near(x=X, y=None):
    return point_geometry(x, y, epsilon=0.5)


WRONG = [
    ("leave out dense=True", lambda: jax.eval_shape(lambda x: point_geometry(x, dense=True), HUGE)),
    ("drop columns", lambda: point_geometry(X, X[:, :2])),
    ("tau_a <= 1", lambda: solve(near(), tau_a=2.0)),
    ("tau_b <= 1", lambda: solve(near(), tau_b=-0.1)),
    ("numbers of points have changed", lambda: solve(near(), init=(W, W[:2]))),
    ("pass one a point", lambda: solve(near(), W[:2])),
    ("leave out symmetric", lambda: solve(near(X, Y), symmetric=True)),
    ("leave out symmetric", lambda: solve(near(), symmetric=True, tau_a=0.5)),
    ("leave out tau_a", lambda: solve(near(), tau_b=0.5).value),
    ("choose by size", lambda: Sinkhorn(1.0, engine=Harmonic.of(1.0, 3))),
    ("beta > 0", lambda: Sinkhorn(0.0, cost=SquaredEuclidean())),
    ("beta > 0", lambda: Sinkhorn(-1.0, cost=SquaredGeodesic())),
    ("same number of rows", lambda: Sinkhorn(1.0, query=jnp.eye(3), key=jnp.ones((2, 3)))),
    ("3 columns", lambda: Sinkhorn(1.0, query=jnp.eye(2))(X)),
    ("pass one a point", lambda: Sinkhorn(1.0)(X, None, W[:2])),
    ("raise max_iterations", lambda: Sinkhorn(30.0, query=X, max_iterations=1)(NEAR)),
    (
        "leave out cost",
        lambda: mf.landscape.growth_rates(Sinkhorn(1.0, cost=SquaredGeodesic()), 3, 0.0, 4),
    ),
    ("without query", lambda: mf.landscape.growth_rates(Sinkhorn(1.0, query=X), 3, 0.0, 4)),
    ("beta > 0", lambda: Sinkformer(-1.0, cost=SquaredEuclidean())),
    (
        "leave out iterations",
        lambda: mf.dynamics.SinkhornFlow(mf.geometry.Sphere(3), Sinkhorn(1.0, iterations=3)),
    ),
    (
        "pass the tokens alone",
        lambda: mf.dynamics.SinkhornFlow(mf.geometry.Sphere(3), Sinkhorn(1.0)).check((X, W[:2])),
    ),
    ("choose by size", lambda: Sinkformer(1.0, engine=Harmonic.of(1.0, 3))),
]


@pytest.mark.parametrize("case", range(len(WRONG)))
def test_wrong_calls_are_refused_with_the_remedy(case):
    remedy, call = WRONG[case]
    check_refused(call, remedy)
