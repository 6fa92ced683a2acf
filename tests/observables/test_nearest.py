"""Neighbours that are looked for by products are those by differences, or are not sure."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from meanfield.observables import entropy_knn, intrinsic_dimension
from meanfield.observables._nearest import _nearest

N, D, K = 60, 40, 3


def _cloud(spread: float = 1.0) -> np.ndarray:
    """Tokens about three places, or of no places at a spread of one."""
    rng = np.random.default_rng(0)
    places = np.repeat(rng.normal(size=(3, D)), N // 3, axis=0)
    x = spread * rng.normal(size=(N, D)) + (spread < 1) * places
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def _apart(x: np.ndarray) -> np.ndarray:
    """Distances from each token to the others, ascending, and whose they are."""
    apart = np.linalg.norm(x[:, None] - x, axis=2) + np.diag(np.full(len(x), np.inf))
    return np.sort(apart, axis=1), np.argsort(apart, axis=1)


def test_sure_neighbours_are_those_by_differences():
    look = jax.jit(_nearest, static_argnums=1)
    x = jnp.asarray(_cloud(), jnp.float32)
    indices, sure = look(x, K)
    assert sure and (indices == _apart(np.asarray(x, float))[1][:, :K]).all()
    # Products of numbers of order one are off by 1e-6 or so, squares of 1e-4 are 1e-8.
    near = jnp.asarray(_cloud(1e-5), jnp.float32)
    assert not look(near, K)[1]
    assert not look(x.at[1].set(x[0]), K)[1]
    assert not look(x.at[1, 1].set(jnp.nan), K)[1]


def _share_of_sphere(apart: np.ndarray) -> np.ndarray:
    """Of what is nearer than a chord, up to a right angle."""
    return special.betainc((D - 1) / 2, 0.5, (apart * np.sqrt(1 - apart**2 / 4)) ** 2) / 2


def test_both_ways_measure_alike():
    entropy, dimension = jax.jit(entropy_knn), jax.jit(intrinsic_dimension)
    x = _cloud(0.5)
    twice = np.concatenate([x[:-1], x[:1]])  # nothing is sure
    for cloud, n in ((x, N), (twice, N - 1)):
        apart, x = _apart(cloud[:n])[0], jnp.asarray(cloud)
        assert apart[:, K - 1].max() < np.sqrt(2)
        want = special.digamma(n) - special.digamma(K)
        want += np.log(_share_of_sphere(apart[:, K - 1])).mean()
        np.testing.assert_allclose(entropy(x).value, want, rtol=1e-12)
        np.testing.assert_allclose(dimension(x).value, _dimension(cloud[:n]), rtol=1e-11)


def _dimension(x: np.ndarray) -> float:
    """Of distinct tokens."""
    apart, n = _apart(x)[0], len(x)
    logs, kept = np.sort(np.log(apart[:, 1] / apart[:, 0])), int(0.9 * n)
    return (kept - 1) / (logs[:kept].sum() + (n - kept) * logs[kept - 1])


def test_derivatives_where_tokens_coincide():
    """Under vmap those of both ways are computed: equal tokens, which are dropped, spoil neither."""
    x, step = _cloud(), 1e-6
    twice = np.concatenate([x[:-2], x[:1], x[:1]])
    move = np.random.default_rng(1).normal(size=x.shape)
    move[-2:] = move[0]
    slope = jax.vmap(jax.grad(lambda x: intrinsic_dimension(x).value))(jnp.stack([x, twice]))
    for cloud, n, found in ((x, N, slope[0]), (twice, N - 2, slope[1])):
        up, down = (_dimension((cloud + sign * step * move)[:n]) for sign in (1, -1))
        # Values of order 30 are rounded to 1e-14: over the step that is 1e-8 of slopes of order one.
        np.testing.assert_allclose((found * move).sum(), (up - down) / (2 * step), rtol=1e-6)
