"""Rotary positions, biases, outputs and gains: what the attention of real transformers adds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import loops
import numpy as np
import pytest
from compiled_attention import attend
from jax.sharding import Mesh
from refusals import check_refused, each_of
from scipy.special import ive

import meanfield as mf
from meanfield.attention import (
    Blockwise,
    Dense,
    Gained,
    Harmonic,
    Layers,
    MultiHead,
    Nystrom,
    RandomBatch,
    Rotary,
    Sharded,
    Softmax,
    Unnormalized,
    Varying,
    causal,
)
from meanfield.harmonics import SphericalHarmonics

N, D = 6, 4
RNG = np.random.default_rng(0)
X, Y = jnp.asarray(RNG.normal(size=(N, D))), jnp.asarray(RNG.normal(size=(3, D)))
QUERY, KEY = (jnp.asarray(RNG.normal(size=(4, D))) for _ in range(2))
VALUE = jnp.asarray(RNG.normal(size=(2, D)))
A, B = (jnp.asarray(RNG.normal(size=4)) for _ in range(2))
BASES = {"interleaved": Rotary(50.0), "halves": Rotary(50.0, interleaved=False)}
# Logits up to 15, of numbers that are right to a few units of rounding, are exponentiated.
RTOL = 1e-12


def engines():
    mesh = Mesh(np.array(jax.devices()[:2]), ("tokens",))
    return {
        "dense": Dense(),
        "blocks": Blockwise(4),
        "ring": Sharded(mesh, engine=Blockwise(2)),
        "nystrom": Nystrom(300, jax.random.key(0)),  # draws every key
    }


@pytest.mark.parametrize("rotary", BASES)
@pytest.mark.parametrize("engine", engines())
def test_every_engine_rotates(engine, rotary):
    attention = Softmax(0.5, QUERY, KEY, VALUE, engine=engines()[engine], rotary=BASES[rotary])
    expected = loops.softmax(attention, X, X, None)
    # The floor of Nystrom's diagonal, 300 eps, is divided by masses down to e^-10.
    rtol = 1e-8 if engine == "nystrom" else RTOL
    np.testing.assert_allclose(attend(attention, X), expected, rtol=rtol, atol=rtol)


def test_a_random_batch_rotates():
    attention = Softmax(0.5, QUERY, KEY, VALUE, rotary=BASES["halves"])
    batch = eqx.tree_at(
        lambda a: a.engine,
        attention,
        RandomBatch(4000, jax.random.key(0)),
        is_leaf=lambda a: a is None,
    )
    expected = loops.softmax(attention, X, X, None)
    # Six standard errors, as the engine estimates them.
    told = jax.jit(lambda x: batch.engine.relative_error(batch, x))(X)
    error = np.asarray(told) * np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(attend(batch, X) - expected, axis=1) <= 6 * error).all()
    assert (
        error.max()
        < 0.1
        * np.linalg.norm(
            expected - loops.softmax(Softmax(0.5, QUERY, KEY, VALUE), X, X, None), axis=1
        ).max()
    )


@pytest.mark.parametrize(
    ("kind", "loop"), [(Softmax, loops.softmax), (Unnormalized, loops.unnormalized)]
)
def test_biases_masks_and_cross_attention_are_the_loop(kind, loop):
    options = {"rotary": BASES["interleaved"], "query_bias": A, "key_bias": B}
    for points, mask in [((X,), causal(N)), ((X, Y, jnp.array([0.2, 0.0, 0.8])), None)]:
        attention = kind(0.3, QUERY, KEY, VALUE, mask=mask, **options)
        expected = loop(
            attention,
            points[0],
            points[-1] if len(points) == 1 else Y,
            points[2] if len(points) > 1 else None,
        )
        np.testing.assert_allclose(attend(attention, *points), expected, rtol=RTOL)
    alone = kind(0.3, rotary=BASES["halves"], engine=Blockwise(4))
    np.testing.assert_allclose(attend(alone, X), loop(alone, X, X, None), rtol=RTOL)


def test_weights_are_those_of_the_field():
    attention = Softmax(0.5, QUERY, KEY, VALUE, causal(N), rotary=Rotary(), query_bias=A)
    w = jnp.array([0.0, 0.1, 0.3, 0.2, 0.2, 0.2])
    weights = np.asarray(eqx.filter_jit(attention.weights)(X, None, w))
    np.testing.assert_allclose(weights[1:].sum(1), 1, rtol=1e-14)
    values = np.asarray(X @ VALUE.T)
    np.testing.assert_allclose((weights @ values)[1:], attend(attention, X, None, w)[1:], rtol=RTOL)
    assert (weights[1:, 0] == 0).all() and np.triu(weights[1:, 1:], 1).max() == 0


def ring(beta: float, n: int, p: int):
    """Attention of n tokens whose frequency, in the second plane of R^4, is 2 pi p/n."""
    return Softmax(beta, rotary=Rotary((n / (2 * np.pi * p)) ** 2))


def linear_part(attention, n: int) -> np.ndarray:
    """d(velocity of token i)/d(token j) across the pole at which all tokens are."""
    flow = mf.dynamics.AttentionFlow(mf.geometry.Sphere(4), attention)
    pole = jnp.tile(jnp.array([0.0, 0.0, 1.0, 0.0]), (n, 1))

    def side(z):
        return flow.drift(jnp.asarray(0.0), pole.at[:, 1].set(z), None)[:, 1]

    return np.asarray(jax.jit(jax.jacfwd(side))(jnp.zeros(n)))


def test_rates_near_consensus_on_a_ring():
    # Weights e^{beta cos(omega (i - j))} are circulant: mode m decays at 1 - I_{m/p}/I_0 if p divides m,
    # else at 1. Aliases are of order n/p - 3 = 21: I_21(4)/I_0 = 4e-15.
    n, p, beta = 48, 2, 4.0
    matrix = linear_part(ring(beta, n, p), n)
    for m, rate in [
        (1, 1.0),
        (2, 0.136477),
        (3, 1.0),
        (4, 0.431761),
        (6, 1 - ive(3, 4) / ive(0, 4)),
    ]:
        mode = np.cos(2 * np.pi * m * np.arange(n) / n)
        np.testing.assert_allclose(matrix @ mode, -rate * mode, atol=5e-7)


def test_rates_near_consensus_of_causal_attention():
    # The Jacobian is triangular; its diagonal is the weight of a token
    # for itself less 1, without rotation 1/i - 1.
    n, beta, omega = 6, 4.0, 2 * np.pi / 48
    masked = eqx.tree_at(
        lambda a: a.mask, ring(beta, 48, 1), causal(n), is_leaf=lambda a: a is None
    )
    own = [1 / np.exp(beta * (np.cos(omega * np.arange(i + 1)) - 1)).sum() for i in range(n)]
    np.testing.assert_allclose(np.diag(linear_part(masked, n)), np.subtract(own, 1), atol=1e-12)
    plain = linear_part(Softmax(beta, mask=causal(n)), n)
    np.testing.assert_allclose(np.diag(plain), 1 / np.arange(1, n + 1) - 1, atol=1e-12)


def test_far_places_keep_their_angles_in_single_precision():
    far = Rotary(1.5)(jnp.ones((100_000, 2), jnp.float32))[-1]
    angle = 99_999.0
    # Each is cos - sin or cos + sin, three roundings of numbers up to 1.5.
    expected = [np.cos(angle) - np.sin(angle), np.cos(angle) + np.sin(angle)]
    np.testing.assert_allclose(far, expected, atol=3 * 2.0**-24 * 1.5)


def test_outputs_and_a_bias_are_behind_the_heads():
    values = [jnp.asarray(RNG.normal(size=(2, D))) for _ in range(2)]
    outputs = [jnp.asarray(RNG.normal(size=(D, 2))) for _ in range(2)]
    narrow = MultiHead([Softmax(0.5, QUERY, KEY, v) for v in values], outputs, A)
    wide = [Softmax(0.5, QUERY, KEY, o @ v) for o, v in zip(outputs, values, strict=True)]
    expected = sum(loops.softmax(head, X, X, None) for head in wide) + A
    np.testing.assert_allclose(attend(narrow, X), expected, rtol=RTOL, atol=RTOL)


def test_gains_stand_before_an_attention():
    attention = Softmax(0.5, QUERY, KEY, VALUE)
    expected = loops.softmax(attention, A * X + B, A * Y + B, None)
    np.testing.assert_allclose(attend(Gained(attention, A, B), X, Y), expected, rtol=RTOL)
    found = attend(Gained(attention, A), X)
    np.testing.assert_allclose(found, attend(attention, A * X), rtol=RTOL)


@eqx.filter_jit
def drift(flow, t, x):
    return flow.drift(t, x, None)


def test_an_mlp_may_change_with_time():
    sphere, attention = mf.geometry.Sphere(3), Softmax(1.0)
    mlps = [eqx.nn.MLP(3, 3, 4, 1, jax.nn.tanh, key=jax.random.key(k)) for k in range(2)]
    x = sphere.sample(jax.random.key(0), 4)
    flow = mf.dynamics.AttentionFlow(sphere, attention, mlp=Layers(mlps, [0.0, 0.5]))

    for t, mlp in [(0.2, mlps[0]), (0.7, mlps[1])]:
        fixed = mf.dynamics.AttentionFlow(sphere, attention, mlp=mlp)
        t = jnp.asarray(t)
        np.testing.assert_allclose(drift(flow, t, x), drift(fixed, t, x), rtol=1e-14)
    np.testing.assert_array_equal(flow.jumps(), [0.0, 0.5])
    growing = mf.dynamics.AttentionFlow(
        sphere, attention, mlp=Varying(lambda t: lambda u: t * u[::-1])
    )
    fixed = mf.dynamics.AttentionFlow(sphere, attention, mlp=lambda u: 0.3 * u[::-1])
    t = jnp.asarray(0.3)
    np.testing.assert_allclose(drift(growing, t, x), drift(fixed, t, x), rtol=1e-14)


PLACED = Softmax(1.0, rotary=Rotary())
HARMONIC = Harmonic(SphericalHarmonics(4))
REFUSED = [
    ("base zero", lambda: Rotary(0.0), "base"),
    ("an odd number", lambda: PLACED(X[:, :3]), "even number of rows"),
    (
        "a bias that does not fit",
        lambda: Softmax(1.0, QUERY, KEY, query_bias=A[:2])(X),
        "one number a row",
    ),
    ("another key bias", lambda: Softmax(1.0, QUERY, KEY, key_bias=A[:2])(X), "one number a row"),
    ("one output", lambda: MultiHead([PLACED, PLACED], [QUERY]), "leave out outputs"),
    ("no matrix", lambda: MultiHead([PLACED], [None]), "leave out outputs"),
    ("a number", lambda: MultiHead([PLACED], 3.0), "one a head"),
    ("another bias", lambda: MultiHead([PLACED], None, A[:3])(X), "a row of the outputs"),
    ("gains of another length", lambda: Gained(PLACED, A[:3])(X), "one gain a coordinate"),
    ("bias and gain", lambda: Gained(PLACED, A, A[:3]), "one length"),
    (
        "a density",
        lambda: mf.dynamics.FokkerPlanck(mf.harmonics.Fourier(4), PLACED, 0.1),
        "AttentionFlow",
    ),
    (
        "a density of outputs",
        lambda: MultiHead([Softmax(1.0)], [QUERY]).mean_field(mf.harmonics.Fourier(4), jnp.ones(9)),
        "AttentionFlow",
    ),
    ("a Gaussian", lambda: PLACED.gaussian_field(A, jnp.eye(4)), "no order"),
    ("harmonics", lambda: Softmax(1.0, rotary=Rotary(), engine=HARMONIC)(X[:, :2]), "Blockwise"),
    ("a reduction", lambda: mf.dynamics.Equiangular(PLACED, 3), "AttentionFlow"),
    (
        "merging",
        lambda: mf.simulate(
            mf.dynamics.AttentionFlow(mf.geometry.Euclidean(4), PLACED), X, [0.0, 1.0], merge=0.1
        ),
        "leave out merge",
    ),
]


@each_of(REFUSED)
def test_what_does_not_fit_is_refused(call, remedy):
    check_refused(call, remedy)
