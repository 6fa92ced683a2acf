"""Exact transport against an independent library (POT), and its derivatives against differences."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from highs import highs_cost
from scipy.optimize import linear_sum_assignment
from unit_vectors import masses

from meanfield.transport import SquaredGeodesic, wasserstein, wasserstein_circle, wasserstein_line
from meanfield.transport.exact._line import ascending, intervals

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of array libraries that it does not find
    import ot

N, M = 30, 21
RANDOM = np.random.default_rng(3)
ANGLES = jnp.asarray(RANDOM.uniform(0, 7, N)), jnp.asarray(RANDOM.normal(2, 1, M))
A, B = masses(0, N), masses(1, M)
TURN = 2 * np.pi
DISTANCES = {
    f.__name__: jax.jit(f, static_argnames="p") for f in (wasserstein_line, wasserstein_circle)
}


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_quantiles_equal_a_linear_program(p):
    x, y = (np.asarray(z) for z in ANGLES)
    apart = np.abs(x[:, None] - y)
    around = np.abs((apart + np.pi) % TURN - np.pi)
    for name, distance in (("wasserstein_line", apart), ("wasserstein_circle", around)):
        ours = DISTANCES[name](*ANGLES, A, B, p=p)
        np.testing.assert_allclose(ours, highs_cost(A, B, distance**p) ** (1 / p), rtol=1e-12)
    if p == 2:
        theirs = ot.wasserstein_circle(
            x % TURN / TURN, y % TURN / TURN, np.asarray(A), np.asarray(B), p=2
        )
        np.testing.assert_allclose(ours, TURN * np.sqrt(theirs[0]), rtol=1e-8)
        np.testing.assert_allclose(
            DISTANCES["wasserstein_line"](*ANGLES, A, B, p=p) ** 2,
            ot.emd2_1d(x, y, np.asarray(A), np.asarray(B)), rtol=1e-12,
        )  # fmt: skip


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("m", [N, M])
def test_clouds_of_equal_points_on_the_circle(p, m):
    """Where n = m an assignment is the best coupling (Birkhoff); else points count lcm/n, lcm/m times.

    A third of the points coincide with others of either cloud; both clouds lie across the angle 0,
    and the second is turned by s, so that shifts of either sign are the best.
    """
    x = jnp.where(jnp.arange(N) % 3 == 0, ANGLES[0][0], ANGLES[0])
    y = jnp.where(jnp.arange(m) % 3 == 0, ANGLES[0][0], jnp.resize(ANGLES[1], m))
    size = np.lcm(N, m)
    for s in (0.0, 2.0, -2.0):
        apart = np.abs(np.asarray(x)[:, None] - np.asarray(y + s))
        cost = np.abs((apart + np.pi) % TURN - np.pi) ** p
        cost = np.repeat(np.repeat(cost, size // N, 0), size // m, 1)
        least = cost[linear_sum_assignment(cost)].mean() ** (1 / p)
        ours = DISTANCES["wasserstein_circle"](x, y + s, p=p)
        np.testing.assert_allclose(ours, least, rtol=1e-13)
        if m == N:
            ours = DISTANCES["wasserstein_circle"](*map(jnp.float32, (x, y + s)), p=p)
            np.testing.assert_allclose(ours, least, rtol=1e-5)  # 16 roundings of angles up to 9


def test_a_shift_of_one_point_is_found_among_many():
    # y_i = x_{i + k} + 1e-9: any other shift moves all by about 2 pi/n or more.
    n = 1000
    x = jnp.linspace(0.01, 0.01 + TURN, n, endpoint=False)
    for k in (0, 1, -1, n // 2 - 1):
        y = jnp.roll(x, k) + 1e-9
        far = jax.jit(wasserstein_circle)(x, y)
        np.testing.assert_allclose(far, 1e-9, rtol=1e-5)  # angles are rounded to 4e-16


def test_order_by_packed_integers():
    """Pairs that differ in the last of 52 bits alone, negative numbers, both zeros, no numbers."""
    x = np.random.default_rng(0).normal(size=400)
    last = x.copy()
    last[1::2] = np.nextafter(last[::2], -np.inf)
    signs, none = np.array([0.0, -0.0, 1.0, -1.0, -2.0, 1e-310]), np.where(x > 1, np.nan, x)
    for z in (x, last, np.repeat(x, 3), signs, none, np.array([1.0]), np.float32(x)):
        np.testing.assert_array_equal(z[ascending(jnp.asarray(z))], np.sort(z))


def test_masses_that_are_small_are_no_slivers():
    # A mass of 1e-9 at distance 2 is what W1 tells; cuts are rounded to 1e-16 of 1.
    x, y = jnp.array([0.0, 2.0]), jnp.array([0.0, 0.0])
    a = jnp.array([1 - 1e-9, 1e-9])
    for distance in DISTANCES.values():
        assert float(distance(x, y, a, p=1.0)) == pytest.approx(2e-9, rel=1e-6)


def test_rotations_and_turns_of_the_circle():
    x = ANGLES[0]
    far = DISTANCES["wasserstein_circle"]
    # Slivers of levels that rounding parts are dropped: no distance of 1e-8 is left.
    assert float(far(x, x)) == 0 and float(far(x, x + TURN)) < 1e-14
    # A rotation is optimal for a cloud on a short arc (others may go round in part).
    np.testing.assert_allclose(far(x / 10, x[::-1] / 10 + 0.3), 0.3, rtol=1e-13)
    one, sides = jnp.zeros(N), jnp.where(jnp.arange(N) % 2 == 0, 2.0, -2.0)
    np.testing.assert_allclose(far(one, one + np.pi), np.pi, rtol=1e-14)
    # The mass of one point goes to both sides.
    np.testing.assert_allclose(far(one, sides), 2, rtol=1e-14)


def test_wasserstein_takes_quantiles_on_the_line_and_circle():
    circle = [jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1) for t in ANGLES]
    found = wasserstein(*circle, A, B, SquaredGeodesic())
    assert found.method == "exact: quantiles on the circle" and found.converged
    np.testing.assert_allclose(
        found.value, DISTANCES["wasserstein_circle"](*ANGLES, A, B), rtol=1e-13
    )
    np.testing.assert_allclose(wasserstein_circle(*circle, A, B), found.value, rtol=1e-13)
    found = wasserstein(*ANGLES, A, B)
    assert found.method == "exact: quantiles on the line" and found.error < 1e-14
    np.testing.assert_allclose(
        found.value, DISTANCES["wasserstein_line"](*ANGLES, A, B), rtol=1e-14
    )
    np.testing.assert_allclose(found.plan().sum(axis=1), A, atol=1e-15)


def test_derivatives_of_quantiles():
    """At a fixed coupling W_2^2 is quadratic in the points and linear in the weights, so that central
    differences are exact to rounding, eps / h = 2e-10, for h that no two points or levels cross."""
    moves = [np.random.default_rng(k).normal(size=z.shape) for k, z in enumerate((*ANGLES, A, B))]
    moves[2:] = [0.01 * (move - move.mean()) for move in moves[2:]]
    h = 1e-6
    for far in DISTANCES.values():
        at = (*ANGLES, A, B)
        ahead, behind = (
            far(*[z + s * move for z, move in zip(at, moves, strict=True)]) ** 2 for s in (h, -h)
        )
        slopes = jax.jit(jax.grad(far, argnums=range(4)))(*at)
        slope = 2 * far(*at) * sum(jnp.vdot(g, move) for g, move in zip(slopes, moves, strict=True))
        np.testing.assert_allclose((ahead - behind) / (2 * h), slope, rtol=1e-7)


def test_linear_program_and_its_potentials(getkey):
    x, y = jax.random.normal(getkey(), (N, 3)), 1 + jax.random.normal(getkey(), (M, 3))
    cost = jnp.sum((x[:, None] - y) ** 2, axis=-1)
    found = wasserstein(x, y, A, B)
    assert found.method == "exact: linear program" and found.converged and found.iterations > 0
    np.testing.assert_allclose(found.cost, highs_cost(A, B, cost), rtol=1e-12)
    plan, (f, g) = found.plan(), found.potentials
    np.testing.assert_allclose(plan.sum(axis=1), A, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), B, atol=1e-12)
    # Duality: f + g <= c everywhere, with the same value. Both are sums of costs along a tree.
    assert (f[:, None] + g - cost).max() < 1e-13
    np.testing.assert_allclose(f @ A + g @ B, found.cost, rtol=1e-12)
    np.testing.assert_allclose(found.average(y), plan @ y / A[:, None], rtol=1e-12)


def test_cuts_that_rounding_has_parted_are_one_and_near_ones_are_two():
    eps = float(np.finfo(float).eps)
    middles, lengths = intervals(jnp.array([1.0, 0.5, 0.5 + 1e-3, 0.5 + 4 * eps]))
    # Sorted: 1/2, 4 eps after it, a thousandth after that but for those 4 eps, and the rest.
    np.testing.assert_allclose(lengths, [0.5, 0, 1e-3, 0.499], rtol=1e-11)
    np.testing.assert_allclose(middles, [0.25, 0.5, 0.5005, 0.7505], rtol=1e-14)
