"""Wrong calls of the transport room are refused in one sentence that names the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.transport import (
    Entropic,
    Exact,
    SquaredEuclidean,
    SquaredGeodesic,
    bures,
    displacement,
    gaussian_wasserstein,
    point_geometry,
    sinkhorn_divergence,
    solve,
    wasserstein,
    wasserstein_circle,
    wasserstein_line,
)

X, EYE = jnp.eye(3), jnp.eye(2)
NAN, COST = float("nan"), SquaredGeodesic()
THIRDS = jnp.full(3, 1 / 3, float)
# Clouds so large that their matrix exceeds any memory, and whose numbers are not looked at.
LARGE = jax.ShapeDtypeStruct((3_000_000, 3), float)

BLOCKS = point_geometry(X, epsilon=1.0, dense=False, block=2)
TINY = (1e-10 * X).astype(jnp.float32)

WRONG = {
    "squares below single precision": (
        lambda: displacement(TINY, TINY[::-1] / 2),
        "multiply the points",
    ),
    "numbers": (lambda: wasserstein(X, 2.0), "one point a row"),
    "dimensions": (lambda: wasserstein(X, EYE), "one dimension"),
    "dtypes": (lambda: wasserstein(X, X.astype(jnp.float32)), "cast one"),
    "line and space": (lambda: wasserstein(jnp.ones(3), X), "drop columns"),
    "few weights": (lambda: wasserstein(X, X, THIRDS[:2]), "one a point"),
    "off the sphere": (lambda: wasserstein(X, 2 * X, cost=COST), "normalize them"),
    "a sphere of no dimension": (lambda: COST.check(jnp.ones((2, 1))), "d >= 2"),
    "angles": (lambda: wasserstein(jnp.ones(3), jnp.ones(3), cost=COST), "pass unit vectors"),
    "average, by pairs": (lambda: wasserstein(X, X).average(EYE), "one row for each"),
    "average, by blocks": (lambda: solve(BLOCKS).average(EYE), "one row for each"),
    "init": (lambda: wasserstein(X, X, method=Entropic(init=(THIRDS,))), "a list of 2"),
    "init, sizes": (
        lambda: wasserstein(X, X, method=Entropic(init=(THIRDS, THIRDS[:2]))),
        "leave it out",
    ),
    "too large": (
        lambda: jax.eval_shape(lambda x: wasserstein(x, x, method=Exact()).value, LARGE),
        "fits in memory",
    ),
    "divergence, off the sphere": (lambda: sinkhorn_divergence(X, X + 1, cost=COST), "normalize"),
    "line, power": (lambda: wasserstein_line(THIRDS, THIRDS, p=0.5), "p >= 1"),
    "line, plane": (lambda: wasserstein_line(X, X), "use wasserstein"),
    "circle, off it": (lambda: wasserstein_circle(2 * EYE, EYE), "normalize them"),
    "circle, space": (lambda: wasserstein_circle(X, X), "use wasserstein"),
    "bures, shape": (lambda: bures(EYE, jnp.ones(2)), "pass a matrix"),
    "bures, shapes": (lambda: bures(EYE, X), "one shape"),
    "bures, symmetry": (lambda: bures(EYE, EYE.at[0, 1].set(1.0)), "cov2.T"),
    "bures, sign": (lambda: bures(-EYE, EYE), "negative eigenvalues"),
    "gaussians": (lambda: gaussian_wasserstein(THIRDS, EYE, THIRDS, EYE), "in this order"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_calls_are_refused(name):
    check_refused(*WRONG[name])


def test_numpy_is_welcome():
    assert SquaredEuclidean().check(np.ones((2, 3))).shape == (2, 3)
    assert float(wasserstein(np.zeros((2, 3)), np.ones((2, 3)))) == np.sqrt(3)
