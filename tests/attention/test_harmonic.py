"""The sums of attention by harmonics, against the sums over all pairs."""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled_attention import attend
from jax.tree_util import Partial
from refusals import check_refused
from scipy.special import gammaln, ive

from meanfield.attention import Blockwise, Dense, Harmonic, Softmax, Unnormalized, alibi, causal
from meanfield.attention.engines._double_fourier import advise_nufft, has_nufft
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier, Gegenbauer

N = 300


def clouds(d):
    """Uniform, clustered, and mixed clouds of N tokens, [3, N, d]."""
    uniform, tight = np.random.default_rng(d).normal(size=(2, N, d))
    tight = np.eye(d)[1] + 1e-2 * tight
    every = np.stack([uniform, tight, np.concatenate([uniform[: N // 4], tight[N // 4 :]])])
    return jnp.asarray(every / np.linalg.norm(every, axis=-1, keepdims=True))


def log_mean(beta, d):
    """log of the mean of e^{beta <x, y>} over the sphere."""
    order = d / 2 - 1
    return gammaln(d / 2) + order * np.log(2 / beta) + np.log(ive(order, beta)) + beta


@pytest.mark.parametrize("d", [2, 3])
def test_the_degree_is_the_least_that_keeps_the_accuracy_of_a_gradient(d):
    # Degree k adds N(d, k) I_{k+d/2-1}(beta)/I_{d/2-1}(beta) of the mean at t = 1, its gradient k times.
    beta, k = 20.0, np.arange(1, 300)
    order, number = (0, 2 + 0 * k) if d == 2 else (0.5, 2 * k + 1)
    left = np.cumsum((k * number * ive(k + order, beta))[::-1])[::-1] / ive(order, beta)
    degree = Harmonic.of(beta, d, 1e-6).basis.degree
    assert left[degree] <= 1e-6 < left[degree - 2]  # left[i] is what degrees from i + 1 on add


BETAS, ACCURACIES = (1.0, 9.0, 50.0), (1e-4, 1e-8, 1e-12)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize(
    ("beta", "accuracy"),
    [
        pytest.param(b, a, marks=() if i == j == 1 else pytest.mark.slow)
        for i, b in enumerate(BETAS)
        for j, a in enumerate(ACCURACIES)
    ],
)
def test_the_accuracy_that_was_asked_for(d, beta, accuracy):
    w = np.random.default_rng(0).uniform(size=N)
    x, w = clouds(d), jnp.asarray(w / w.sum())
    queries = x[0, ::-1] * jnp.asarray([-1.0] + [1.0] * (d - 1))
    offset = log_mean(beta, d)  # in units of the mean of the kernel
    exact = fields(Unnormalized(beta, engine=Dense(), offset=offset), queries, x, w)
    # The peak is then e^{beta - offset}, whose rounding, with Funk-Hecke multipliers good to 2e-14,
    # bounds what can be asked at beta = 50.
    rounding = 3e-14 * np.exp(beta - offset)
    fast = Unnormalized(beta, engine=Harmonic.of(beta, d, accuracy), offset=offset)
    gap = jnp.abs(fields(fast, queries, x, w) - exact)
    assert float(gap.max()) < accuracy + rounding


@eqx.filter_jit
def fields(attention, queries, x, w):
    """The field of weighted clouds on themselves, and of uniform ones on the queries."""
    own = jax.vmap(lambda y: attention(y, None, w))(x)
    return jnp.stack([own, jax.vmap(lambda y: attention(queries, y))(x)])


@pytest.mark.parametrize("d", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_softmax_values_and_single_precision(d):
    x, beta = clouds(d), 9.0
    value = jnp.asarray(np.random.default_rng(0).normal(size=(4, d)))
    exact = jax.jit(jax.vmap(Partial(Softmax(beta, value=value, engine=Dense()))))(x)
    fast = jax.jit(jax.vmap(Partial(Softmax(beta, value=value, engine=Harmonic.of(beta, d)))))
    size = float(jnp.abs(exact).max())
    # Every token sees at least the mean of the kernel here, so that 1e-12 is relative, but for
    # those of the mixed cloud that are alone: they see themselves, 1/300 of the peak at least.
    np.testing.assert_allclose(fast(x), exact, atol=1e-12 * size)
    single = fast(x.astype(np.float32))
    assert single.dtype == np.float32
    # Sums of 2 * 28 terms rounded to 6e-8 each, relative to the peak of the kernel; the mean that a
    # token sees is a tenth of it on the circle, an eighteenth on S^2, and 1/300 where it is alone.
    np.testing.assert_allclose(single[:2], exact[:2], atol=2e-6 * size)
    np.testing.assert_allclose(single[2], exact[2], atol=1e-4 * size)


@pytest.mark.parametrize("d", [pytest.param(2, marks=pytest.mark.slow), 3])
def test_gradients(d):
    x, beta = clouds(d)[0], jnp.asarray(4.0)

    def slopes(engine):
        total = lambda x, beta: jnp.sum(Softmax(beta, engine=engine)(x) ** 2)
        return jax.jit(jax.grad(total, argnums=(0, 1)))(x, beta)

    exact, fast = slopes(Dense()), slopes(Harmonic.of(4.0, d))
    # Off the sphere the two extend e^{beta <x, y>} differently: only tangent parts agree. In them a
    # degree k counts k times more, and the accuracy 1e-12 by as much, 30.
    tangents = [Sphere(d).to_tangent(x, g[0]) for g in (fast, exact)]
    np.testing.assert_allclose(*tangents, atol=1e-10)
    assert float(fast[1]) == pytest.approx(float(exact[1]), rel=1e-10)


@pytest.mark.parametrize("d", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_memory_is_linear(d):
    attention = Softmax(9.0, engine=Harmonic.of(9.0, d, 1e-8))

    def bytes_of(n):
        shape = jax.ShapeDtypeStruct((n, d), float)
        return (
            jax.jit(lambda x: attention(x))
            .lower(shape)
            .compile()
            .memory_analysis()
            .temp_size_in_bytes
        )

    small, large = bytes_of(2**14), bytes_of(2**16)
    assert large < 4.5 * small
    # Some tens of numbers a token: a matrix of all pairs would take 2^16.
    assert large < 2**16 * 8 * 100


def test_what_it_cannot_do_is_refused():
    x, turn = clouds(2)[0], jnp.array([[0.0, -1.0], [1.0, 0.0]])
    engine = Harmonic.of(2.0, 2)
    masks = {"mask": causal(N)}, {"mask": alibi(N, 0.1)}
    for part in ({"query": turn}, {"key": turn}, *masks):
        check_refused(lambda part=part: Softmax(2.0, engine=engine, **part)(x), "Blockwise")
    check_refused(lambda: Softmax(2.0, engine=engine)(clouds(3)[0]), "R^2")
    check_refused(lambda: Harmonic(Gegenbauer(3, 8)), "basis of the circle or of")
    check_refused(lambda: Harmonic.of(2.0, 4), "d = 2 or 3")
    check_refused(lambda: Harmonic.of(2.0, 2, 0.0), "accuracy")
    check_refused(lambda: Harmonic.of(1e6, 2), "Blockwise")


def test_a_basis_may_be_given():
    x = clouds(2)[0]
    given = attend(Softmax(9.0, engine=Harmonic(Fourier(40))), x)
    np.testing.assert_allclose(given, attend(Softmax(9.0, engine=Dense()), x), atol=1e-13)


@pytest.mark.slow
def test_a_million_tokens(getkey, capsys):
    n, beta, some = 10**6, 9.0, slice(200)
    x = Sphere(2).sample(getkey(), n)
    fast = jax.jit(Partial(Softmax(beta, engine=Harmonic.of(beta, 2))))
    got = fast(x).block_until_ready()
    dense = Softmax(beta, engine=Dense())
    exact = jax.jit(lambda x: jax.lax.map(lambda token: dense(token[None], x)[0], x[some]))(x)
    error = jnp.linalg.norm(got[some] - exact, axis=1) / jnp.linalg.norm(exact, axis=1)
    assert float(error.max()) < 1e-10
    blocks = jax.jit(Partial(Softmax(beta, engine=Blockwise())))
    seconds = _seconds(fast, x)
    few = x[: 2**14]  # Blockwise costs n^2: scaled from here
    whole = _seconds(blocks, few) * (n / len(few)) ** 2
    with capsys.disabled():
        print(
            f"\n10^6 tokens: {seconds:.3f} s, blockwise about {whole / seconds:.0f} times as long"
        )


def _seconds(function, x) -> float:
    function(x).block_until_ready()
    start = time.perf_counter()
    function(x).block_until_ready()
    return time.perf_counter() - start


@eqx.filter_jit
def relative_errors(engine, attention, x):
    """What the bound says and what it is, of each token's softmax."""
    fast = eqx.tree_at(lambda a: a.engine, attention, engine, is_leaf=lambda leaf: leaf is None)
    exact = attention(x)
    error = jnp.linalg.norm(fast(x) - exact, axis=1) / jnp.linalg.norm(exact, axis=1)
    return engine.relative_error(attention, x), error


@pytest.mark.parametrize("d", [2, 3])
def test_the_bound_holds_for_uniform_clustered_and_mixed_clouds(d):
    attention, engine = Softmax(20.0), Harmonic.of(20.0, d, 1e-4)
    for x in clouds(d):
        # One token alone, opposite to a cluster: it sees little but itself, 1/N of the peak.
        x = jnp.concatenate([x, -jnp.eye(d)[1:2]])
        bound, error = (np.asarray(each) for each in relative_errors(engine, attention, x))
        assert (error <= bound).all()
        # Both parts of the bound add what cannot all be at once.
        assert np.median(bound) < 1e-2


SIX = clouds(2)[0, :6]


@pytest.mark.slow
def test_a_degree_can_be_fitted_to_a_known_cloud_under_jit():
    attention = Softmax(2.0)
    degree = lambda: jnp.asarray(Harmonic.fitted(attention, SIX).basis.degree)
    assert jax.jit(degree)() == degree()


def test_a_degree_fitted_to_a_cloud_keeps_the_relative_accuracy():
    # A token opposite to the others asks for more than they do: e^{-4 beta} of the peak.
    attention, x = Softmax(2.0), SIX.at[1:].set(SIX[1]).at[0].set(-SIX[1])
    found = jax.jit(lambda: jnp.asarray(Harmonic.fitted(attention, x).basis.degree))()
    bound, error = relative_errors(Harmonic(Fourier(int(found))), attention, x)
    assert float(error.max()) <= float(bound.max()) <= 1e-6
    assert found > Harmonic.of(2.0, 2, 1e-3).basis.degree
    check_refused(lambda: Harmonic.fitted(attention, x, accuracy=1e-25), "rounding in float64")


@pytest.mark.slow
def test_a_degree_fitted_to_the_cloud_keeps_the_relative_accuracy(d=2):
    _, tight, mixed = clouds(d)
    mixed = jnp.concatenate([mixed, -jnp.eye(d)[1:2]])
    attention = Softmax(20.0)
    degrees = []
    for x in (tight, mixed):
        engine = Harmonic.fitted(attention, x, accuracy=1e-7)
        bound, error = relative_errors(engine, attention, x)
        assert float(error.max()) <= float(bound.max()) <= 1e-7
        degrees.append(engine.basis.degree)
    assert degrees[1] > degrees[0]  # the lonely token asks for more
    with pytest.raises(ValueError, match="rounding in float32"):
        Harmonic.fitted(attention, mixed.astype(np.float32), accuracy=1e-7)


@pytest.mark.skipif(has_nufft(), reason="jax_finufft is installed")
def test_the_missing_extra_is_named_once_where_it_would_help(caplog):
    advise_nufft.cache_clear()
    caplog.set_level("INFO", "meanfield")
    for d, n in ((3, 100), (2, 4000), (3, 4000), (3, 4000)):
        attention = Softmax(2.0, engine=Harmonic.of(2.0, d, 1e-3))
        jax.eval_shape(lambda x, a=attention: a(x), jax.ShapeDtypeStruct((n, d), float))
    assert [r.message for r in caplog.records] == [
        "sums over many tokens on S^2 are far faster with pip install 'meanfield-jax[nufft]'"
    ]
