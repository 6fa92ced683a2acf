"""Harmonics by default on the circle: where they are right to rounding, and nowhere else."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from unit_vectors import on_circle

from meanfield.attention import (
    AbstractEngine,
    Blockwise,
    Dense,
    Guarded,
    Harmonic,
    Softmax,
    Sums,
    Unnormalized,
    causal,
)
from meanfield.attention.engines._double_fourier import has_nufft
from meanfield.attention.engines._harmonic import degree_for
from meanfield.harmonics import Fourier, SphericalHarmonics

N = 1024  # the fewest tokens
QUICK = Guarded(Harmonic(Fourier(32)), Dense())


UNIFORM = on_circle(np.linspace(0, 2 * np.pi, 64, endpoint=False))
APART = on_circle(np.r_[np.pi, np.linspace(-0.1, 0.1, 64)[1:]])


class Nowhere(AbstractEngine):
    """Sums that are nowhere right, so that it shows whose are taken."""

    def sums(self, problem):
        n, e = problem.q.shape[0], problem.y.shape[1]
        return Sums(*(jnp.full(shape, jnp.nan) for shape in ((n,), (n,), (n, e))))


@eqx.filter_jit
def is_quick(attention, x, degree=32):
    """Whether the sums are those of the harmonics."""
    guarded = Guarded(Harmonic(Fourier(degree)), Nowhere())
    return jnp.isfinite(guarded.sums(attention.problem(x)).mass).all()


def test_many_doubles_on_the_circle_are_summed_by_harmonics():
    attention = Softmax(2.0)
    engine = attention.engine_for(N, d=2)
    assert isinstance(engine, Guarded) and isinstance(engine.exact, Dense)
    assert isinstance(attention.engine_for(10 * N, d=2).exact, Blockwise)
    assert isinstance(Unnormalized(-2.0).engine_for(2, N * N, d=2), Guarded)
    others = [
        attention.engine_for(N - 1, d=2),
        attention.engine_for(N, N - 1, d=2),
        attention.engine_for(N, d=3),
        attention.engine_for(N),
        attention.engine_for(N, dtype=jnp.float32, d=2),
        Softmax(2.0, query=jnp.eye(2)).engine_for(N, d=2),
        Softmax(2.0, mask=causal(N)).engine_for(N, d=2),
        Softmax(1e5).engine_for(N, d=2),
        Softmax(2.0, engine=Dense()).engine_for(N, d=2),
    ]
    assert {type(other) for other in others} == {Dense}


def test_an_extra_that_cannot_be_imported_is_done_without(monkeypatch):
    """As a library that was built for another machine."""

    def broken():
        raise ImportError("libfftw3.so: cannot open")

    module = "meanfield.attention.engines._double_fourier"
    monkeypatch.setattr(f"{module}.util.find_spec", lambda name: name)
    monkeypatch.setattr(f"{module}._nufft", broken)
    has_nufft.cache_clear()
    with pytest.warns(UserWarning, match="libfftw3.*reinstall"):
        assert not has_nufft() and not has_nufft()
    monkeypatch.setattr(f"{module}._nufft", object)
    has_nufft.cache_clear()
    assert has_nufft()
    has_nufft.cache_clear()


def test_many_doubles_on_s2_are_summed_by_harmonics_where_transforms_are_installed(monkeypatch):
    taken = lambda attention, n, **more: type(attention.engine_for(n, d=3, **more))
    monkeypatch.setattr("meanfield.attention.engines._choice.has_nufft", lambda: True)
    assert {taken(Softmax(0.0), 2048), taken(Unnormalized(6.0), 10**4)} == {Guarded}
    assert taken(Softmax(2.0), 4, m=2**20) is Guarded
    assert jax.eval_shape(lambda b: jnp.zeros(taken(Softmax(b), 2048) is Guarded), 9.0).shape == (
        1,
    )
    others = [
        taken(Softmax(2.0), 2047),
        taken(Softmax(2.0), 2048, dtype=jnp.float32),
        taken(Softmax(6.1), 2048),
        taken(Softmax(-1.0), 2048),
        taken(Softmax(2.0, mask=causal(2048)), 2048),
        type(Softmax(2.0).engine_for(2048, d=4)),
    ]
    with monkeypatch.context() as patch:
        patch.setattr("jax.default_backend", lambda: "gpu")
        others.append(taken(Softmax(2.0), 2048))
    monkeypatch.setattr("meanfield.attention.engines._choice.has_nufft", lambda: False)
    assert {*others, taken(Softmax(2.0), 2048)} == {Blockwise}


@pytest.mark.parametrize(("beta", "degree"), [(0.0, 16), (2.0, 32), (-9.0, 48), (90.0, 128)])
def test_the_degree_is_that_of_beta_in_steps(beta, degree):
    # From the table of I_k(beta)/I_0(beta) < eps/(2 k): k = 33 and 89 at least at 9 and 90.
    found = Softmax(beta).engine_for(N, d=2).quick.basis.degree
    assert found % 16 == 0 and abs(found - degree) <= 32


def test_the_degree_is_a_fixed_one_where_beta_is_traced():
    def degree(beta):
        return jnp.asarray(Softmax(beta).engine_for(N, d=2).quick.basis.degree)

    assert jax.jit(degree)(1.0) == 64
    # up to which beta it is right to rounding
    assert [degree_for(beta, 2, 2.0**-52) for beta in (44.0, 45.0)] == [64, 65]


@pytest.mark.parametrize("kind", [Softmax, pytest.param(Unnormalized, marks=pytest.mark.slow)])
def test_values_and_derivatives_are_those_of_the_whole_matrix(kind):
    x = on_circle(np.random.default_rng(0).uniform(0, 2 * np.pi, N))
    value = jnp.array([[1.0, 2.0], [0.5, -1.0]])
    w = jnp.asarray(np.arange(N) / np.arange(N).sum())
    pattern = np.cos(np.arange(2.0 * N)).reshape(N, 2)

    @jax.jit
    def both(x, beta, w):
        def total(x, beta, w, engine):
            field = kind(beta, value=value, engine=engine)(x, None, w)
            return jnp.sum(pattern * field), field

        # Off the sphere too: the gradient in x has a radial part.
        gradient = jax.value_and_grad(total, (0, 1, 2), has_aux=True)
        return gradient(x, beta, w, None), gradient(x, beta, w, Dense())

    for beta in (3.0, -3.0):
        ours, theirs = map(jax.tree.leaves, both(x, beta, w))
        for mine, exact in zip(ours, theirs, strict=True):
            # Sums of 10^3 terms of size e^3 at most, off by some eps each.
            np.testing.assert_allclose(mine, exact, atol=1e-13 * float(np.abs(exact).max()))


def test_harmonics_are_taken_where_they_are_right_to_rounding_alone():
    assert is_quick(Softmax(9.0), UNIFORM)
    assert not is_quick(Softmax(9.0), UNIFORM, degree=16)
    # One token sees all others at the other side of the circle: e^{-2 beta} of the peak's height.
    assert not is_quick(Softmax(9.0, value=jnp.eye(2)), APART) and is_quick(Softmax(1.0), APART)
    for beta, x in ((9.0, 1.001 * UNIFORM), (9.0, UNIFORM.at[3].set(jnp.nan)), (60.0, UNIFORM)):
        assert not is_quick(Softmax(beta), x)
        exact = attend(Softmax(beta, engine=Dense()), x)
        np.testing.assert_array_equal(attend(Softmax(beta, engine=QUICK), x), exact)


def test_what_is_taken_is_within_the_bound_even_at_its_border():
    # Ever closer to where an isolated token makes the mass too small: each answer holds the promise.
    @jax.jit
    def found(beta):
        ours, exact = Softmax(beta, engine=QUICK), Softmax(beta, engine=Dense())
        return jnp.abs(ours(APART) - exact(APART)).max(), is_quick(ours, APART)

    errors, taken = zip(*map(found, np.linspace(0.5, 6.0, 23)), strict=True)
    assert max(errors) <= 2**14 * float(jnp.finfo(float).eps)
    taken = [bool(one) for one in taken]
    assert taken == sorted(taken, reverse=True) and len({*taken}) == 2


def test_a_batch_has_one_answer_for_all():
    clouds = jnp.stack([UNIFORM, 1.5 * UNIFORM])
    fields, exact = (
        jax.jit(jax.vmap(Softmax(3.0, engine=engine)))(clouds) for engine in (QUICK, Dense())
    )
    np.testing.assert_allclose(fields, exact, atol=1e-14)


def test_on_s2_a_trial_is_made_where_a_uniform_cloud_would_pass():
    harmonic = Harmonic(SphericalHarmonics(32))
    # Gauss points, of their weights: as uniform as a cloud can be.
    basis = SphericalHarmonics(8)
    x, w = basis.nodes, basis.weights

    @jax.jit
    def found(beta, w):
        problem = Softmax(beta).problem(x, None, w)
        guarded = Guarded(harmonic, Nowhere()).sums(problem)
        taken = jnp.isfinite(guarded.mass).all()
        error = jnp.abs(guarded.mean() - Dense().sums(problem).mean()).max()
        return taken, harmonic.is_promising(problem, 2.0**14), error

    for beta, expected in ((0.0, True), (2.0, True), (6.0, True), (40.0, False), (-1.0, False)):
        taken, promising, error = found(beta, w)
        assert taken == promising == expected, beta
        assert not taken or error < 1e-14
    # Where all are on one side, and one token on the other, it is tried and not taken.
    one_side = jnp.where(x @ x[0] > 0.7, w, 0)
    taken, promising, _ = found(6.0, one_side / one_side.sum())
    assert promising and not taken


def test_the_reach_on_s2_is_that_of_the_bound_with_transforms(monkeypatch):
    monkeypatch.setattr("meanfield.attention.engines._harmonic.has_nufft", lambda: True)
    harmonic, x = Harmonic(SphericalHarmonics(32)), jnp.zeros((2048, 3))
    promising = jax.jit(lambda b: harmonic.is_promising(Softmax(b).problem(x), 2.0**14))
    assert promising(6.0) and not promising(7.0)
