"""What says that it converged has; what is no number stays none, eagerly and under jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused

from meanfield.transport import (
    Coupling,
    Entropic,
    Exact,
    SquaredEuclidean,
    bures,
    point_geometry,
    sinkhorn_divergence,
    solve,
    wasserstein,
    wasserstein_circle,
    wasserstein_line,
)

X = jax.random.normal(jax.random.key(0), (6, 2))
Y = 1 + jax.random.normal(jax.random.key(1), (6, 2))
VERBS = {
    "solve": lambda x, y, tol, most: solve(
        point_geometry(x, y, epsilon=0.05), tol=tol, max_iterations=most
    ),
    "a cloud with itself": lambda x, y, tol, most: solve(
        point_geometry(x, epsilon=0.05), tol=tol, max_iterations=most, symmetric=True
    ),
    "soft marginals": lambda x, y, tol, most: solve(
        point_geometry(x, y, epsilon=0.05), tol=tol, max_iterations=most, tau_b=0.9
    ),
    "wasserstein": lambda x, y, tol, most: wasserstein(
        x, y, method=Entropic(0.05, tol=tol, max_iterations=most)
    ),
    "divergence": lambda x, y, tol, most: sinkhorn_divergence(
        x, y, epsilon=0.05, tol=tol, max_iterations=most
    ),
}


@pytest.mark.parametrize("name", VERBS)
def test_nothing_converges_that_cannot(name):
    verb = VERBS[name]

    @jax.jit
    def found(x, tol):
        made = verb(x, Y, tol, 300)
        return made.converged, made.error

    converged, error = found(X, 1e-6)
    assert converged and error <= 1e-6
    # One iteration: one of ott's, of each problem that there is.
    short = verb(X, Y, 1e-6, 1)
    assert not short.converged and short.error > 1e-6
    assert short.iterations <= {"divergence": 3, "soft marginals": 2}.get(name, 1)
    converged, error = found(X, 1e-300)
    assert not converged and error > 1e-300
    assert not found(X * jnp.nan, 1e-6)[0]


def test_the_error_is_that_of_the_plan():
    for most in (5, 2000):
        found = solve(point_geometry(X, Y, epsilon=0.05), max_iterations=most)
        plan = np.asarray(found.plan())
        off = np.abs(plan.sum(axis=1) - 1 / 6).sum() + np.abs(plan.sum(axis=0) - 1 / 6).sum()
        np.testing.assert_allclose(found.error, off, rtol=1e-6, atol=1e-14)
        assert bool(found.converged) == (off <= 1e-6)
    own = solve(point_geometry(X, epsilon=0.05), max_iterations=2, symmetric=True)
    off = 2 * np.abs(np.asarray(own.plan()).sum(axis=1) - 1 / 6).sum()
    np.testing.assert_allclose(own.error, off, rtol=1e-6)


def test_a_coupling_and_what_it_lacks():
    """Two pairs of three points with two: sums, means and errors by hand."""
    mass = jnp.array([0.5, 0.25])
    plan = Coupling(jnp.array([0, 2]), jnp.array([1, 0]), mass, (3, 2))
    np.testing.assert_allclose(plan.plan(), [[0, 0.5], [0, 0], [0.25, 0]])
    rows, columns = plan.marginals()
    np.testing.assert_allclose(rows, [0.5, 0, 0.25])
    np.testing.assert_allclose(columns, [0.25, 0.5])
    np.testing.assert_allclose(
        plan.average(jnp.array([[3.0], [7.0]]))[jnp.array([0, 2]), 0], [7, 3]
    )
    # |.5 - .4| + |0 - .1| + |.25 - .5| = .45, and |.25 - .7| + |.5 - .3| = .65.
    off = plan.error(jnp.array([0.4, 0.1, 0.5]), jnp.array([0.7, 0.3]))
    np.testing.assert_allclose(off, 1.1, rtol=1e-14)


UNSOUND = {
    "nan": jnp.full(6, jnp.nan, float),
    "zeros": jnp.zeros(6),
    "negative": jnp.array([-0.2, 0.4, 0.2, 0.2, 0.2, 0.2]),
    "of sum 2": jnp.full(6, 1 / 3, float),
}
FEW = Entropic(0.5, max_iterations=300)
FAR = {
    "line": lambda x, y, a: wasserstein_line(x[:, 0], y[:, 0], a),
    "line, second": lambda x, y, a: wasserstein_line(x[:, 0], y[:, 0], None, a),
    "circle": lambda x, y, a: wasserstein_circle(x[:, 0], y[:, 0], a),
    "circle, second": lambda x, y, a: wasserstein_circle(x[:, 0], y[:, 0], None, a),
    "exact": lambda x, y, a: wasserstein(x, y, a).value,
    "the method alone": lambda x, y, a: Exact().transport(x, y, a, None, SquaredEuclidean()).value,
    "entropic": lambda x, y, a: wasserstein(x, y, a, method=FEW).value,
    "divergence": lambda x, y, a: (
        sinkhorn_divergence(x, y, None, a, epsilon=0.5, max_iterations=300).value
    ),
    "core": lambda x, y, a: solve(point_geometry(x, y, epsilon=0.5), a).value,
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n == "divergence" else n for n in FAR],
)
def test_masses_that_are_none(name):
    far, even = FAR[name], jnp.full(6, 1 / 6, float)
    jitted = jax.jit(far)
    # Even ones are those of either cloud by default.
    first = FAR[name.partition(",")[0]]
    np.testing.assert_allclose(jitted(X, Y, even), first(X, Y, even), rtol=1e-12)
    # Where they are known only at run time, the answer is no number.
    for unsound in UNSOUND.values():
        with pytest.raises(ValueError, match=r"expected .*;"):
            far(X, Y, unsound)
        assert jnp.isnan(jitted(X, Y, unsound))
    assert jnp.isnan(jitted(X.at[2].set(jnp.nan), Y, even))
    if name not in ("core", "the method alone"):
        check_refused(lambda: far(X.at[2].set(jnp.nan), Y, even), "remove or replace")


def test_nan_has_not_converged_where_sorting_suffices():
    nan = X.at[0].set(jnp.nan)
    flags = jax.jit(
        lambda x: [wasserstein(x[:, :1], Y[:, :1]).converged, wasserstein(x, Y).converged]
    )
    assert not any(flags(nan)) and all(flags(X))
    assert jnp.isnan(jax.jit(bures)(jnp.eye(2) * jnp.nan, jnp.eye(2)))


@pytest.mark.slow
def test_a_gradient_that_cannot_be_solved_for_names_what_the_caller_has(monkeypatch):
    """At a small epsilon in float32 the linear system of a gradient may be beyond the precision."""
    from meanfield.transport.sinkhorn import _implicit

    monkeypatch.setattr(_implicit, "_STEPS", 1)
    # Of a size that no other test has: the program with one step stays among those that are compiled.
    cloud = jnp.tile(X, (5, 1))[:23].astype(jnp.float32)

    def value(x):
        return wasserstein(x, cloud + 1, method=Entropic(0.01)).value

    with pytest.raises(Exception, match="raise epsilon or use float64"):
        jax.block_until_ready(jax.grad(value)(cloud))
