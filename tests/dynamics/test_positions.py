"""Tokens on rings and lines of positions: reductions, growth rates and the limit of long wavelengths."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.optimize import brentq
from unit_vectors import on_circle

import meanfield as mf
from meanfield.attention import Softmax, Unnormalized, alibi, causal, decay, window
from meanfield.dynamics import AttentionFlow, HarmonicMapFlow, TwistedRing
from meanfield.geometry import Euclidean, Product, Sphere

TURN = 2 * np.pi


def twisted(n, twists, z):
    """n tokens spread over a circle of latitude at height z."""
    angles, s = TURN * twists * np.arange(n) / n, np.sqrt(1 - z**2)
    return jnp.asarray(np.stack([s * np.cos(angles), s * np.sin(angles), np.full(n, z)], axis=1))


@pytest.mark.parametrize(
    ("beta", "expected"),
    # By an independent integration in scipy, to 1e-12.
    [
        pytest.param(0.0, [0.20717517, 0.54364143], marks=pytest.mark.slow),
        (2.0, [0.17421847, 0.38657048]),
    ],
)
def test_a_twisted_ring_unwinds_as_its_tokens_do(beta, expected):
    attention, ts = Softmax(beta, mask=window(40, 3, periodic=True)), jnp.array([0.0, 4.0, 10.0])
    ring = mf.simulate(
        TwistedRing(attention, 40, 2), 0.1, ts, observe={"z": lambda z: z}, tol=1e-10
    )
    np.testing.assert_allclose(ring.values["z"][1:], expected, atol=1e-8)
    flow = AttentionFlow(Sphere(3), attention)
    tokens = mf.simulate(flow, twisted(40, 2, 0.1), ts, observe={"z": lambda x: x[:, 2]}, tol=1e-10)
    np.testing.assert_allclose(tokens.values["z"][1:], np.repeat([expected], 40, 0).T, atol=1e-7)


def test_without_logits_a_twisted_ring_has_a_closed_form():
    # z/(1 - z^2)^{1/2} grows at the rate 1 - What: here of five neighbors, one twist on seven tokens.
    ring = TwistedRing(Softmax(0.0, mask=window(7, 2, periodic=True)), 7, 1)
    mean = np.cos(TURN * np.arange(-2, 3) / 7).mean()
    z = mf.simulate(ring, 0.3, jnp.array([0.0, 1.5]), tol=1e-11).final
    slope = 0.3 / np.sqrt(1 - 0.09) * np.exp(1.5 * (1 - mean))
    np.testing.assert_allclose(z, slope / np.sqrt(1 + slope**2), rtol=1e-9)


def both_rates(ring):
    return ring.planar_rates(), ring.transverse_rates()


@pytest.mark.parametrize("mask", [window(9, 2, periodic=True), decay(9, 0.4, periodic=True), None])
def test_growth_rates_of_twisted_states_are_those_of_the_tokens(mask):
    n, ring = 9, TwistedRing(Softmax(1.5, mask=mask), 9, 2)
    angles = TURN * 2 * np.arange(n) / n

    def turning(a):
        x = jnp.stack([jnp.cos(a), jnp.sin(a)], axis=1)
        field = AttentionFlow(Sphere(2), ring.attention).drift(jnp.array(0.0), x, None)
        return x[:, 0] * field[:, 1] - x[:, 1] * field[:, 0]

    planar = np.linalg.eigvals(jax.jit(jax.jacobian(turning))(angles))
    np.testing.assert_allclose(planar.imag, 0, atol=1e-12)
    rates = [np.asarray(rate) for rate in jax.jit(both_rates)(ring)]
    np.testing.assert_allclose(np.sort(rates[0]), np.sort(planar.real), atol=1e-12)

    def rising(z):
        flat = jnp.stack([jnp.cos(angles), jnp.sin(angles), z], axis=1)
        return AttentionFlow(Sphere(3), ring.attention).drift(jnp.array(0.0), flat, None)[:, 2]

    # On S^2 the projection of the extension adds nothing at first order in z.
    heights = np.linalg.eigvals(jax.jit(jax.jacobian(rising))(jnp.zeros(n))).real
    np.testing.assert_allclose(np.sort(rates[1]), np.sort(heights), atol=1e-12)
    assert rates[1][0] > 0


@pytest.mark.parametrize(("twists", "widest"), [(1, 0.675), (2, 0.33)])
def test_twisted_states_lose_stability_where_windows_are_long(twists, widest):
    n = 400
    # In a continuum of tokens windows are too long from here on (Wiley, Strogatz, Girvan 2006); a window
    # of tokens is longer than its radius tells, by half a token at each end, and a turn has n/twists tokens.
    np.testing.assert_allclose(widest + 1 / n, 0.6809228 / twists, atol=3 * twists / n)

    def stable(radius):
        ring = TwistedRing(Softmax(0.0, mask=window(n, radius, periodic=True)), n, twists)
        return float(ring.planar_rates()[1:].max()) <= 1e-12

    radius = round(widest * n / 2)
    assert stable(radius) and not stable(radius + 1)


def ratio_of_errors(flow, angle):
    """How much smaller the error at t = 1 is on twice as many places: 4 for second order."""
    errors = []
    for n in (16, 32):
        h = flow(n)
        out = mf.simulate(h, on_circle(angle(h.places, 0.0)), jnp.array([0.0, 1.0]), tol=1e-9).final
        errors.append(np.abs(np.asarray(out) - on_circle(angle(h.places, 1.0))).max())
    return errors[0] / errors[1], errors[1]


def test_angles_on_a_ring_obey_the_heat_equation_with_drift():
    # a_t = c a_s + D a_ss, once around: s + c t + b e^{-D t} sin(s + c t).
    ratio, error = ratio_of_errors(
        lambda n: HarmonicMapFlow(Sphere(2), n, 0.3, 0.5),
        lambda s, t: s + 0.5 * t + 0.4 * np.exp(-0.3 * t) * np.sin(s + 0.5 * t),
    )
    # From 16 to 32 places terms of fourth order still move the ratio by some percent.
    assert 3.6 < ratio < 4.4 and error < 0.02


def test_angles_on_a_line_obey_the_heat_equation_without_flux():
    # cos(pi s/2) on [0, 2] has no slope at the ends.
    ratio, error = ratio_of_errors(
        lambda n: HarmonicMapFlow(Sphere(2), n, 0.3, length=2.0, periodic=False),
        lambda s, t: 0.8 * np.exp(-0.3 * (np.pi / 2) ** 2 * t) * np.cos(np.pi * s / 2),
    )
    assert 3.6 < ratio < 4.4 and error < 2e-3


def test_a_drift_on_a_line_carries_maps_to_its_start():
    flow = HarmonicMapFlow(Sphere(2), 8, 0.0, 2.0, length=4.0, periodic=False)
    h = on_circle(0.1 * flow.places)  # slope .1, spacing 1/2
    speed = np.asarray(flow.drift(jnp.array(0.0), h, None))
    turning = h[:, 0] * speed[:, 1] - h[:, 1] * speed[:, 0]
    # Between neighbors sin(.05)/(1/2) a unit; at the ends half of that, where the neighbor is missing.
    expected = 2.0 * np.sin(0.05) * np.array([1, 2, 2, 2, 2, 2, 2, 1])
    np.testing.assert_allclose(turning, expected, rtol=1e-12)


def test_a_circle_of_latitude_unwinds_over_the_pole():
    # z/(1 - z^2)^{1/2} grows at the rate D 2 (1 - cos h)/h^2, h the spacing: D q^2 in the limit.
    flow = HarmonicMapFlow(Sphere(3), 12, 0.7)
    z = mf.simulate(flow, twisted(12, 1, 0.2), jnp.array([0.0, 2.0]), tol=1e-10).final[:, 2]
    h = TURN / 12
    slope = 0.2 / np.sqrt(1 - 0.04) * np.exp(2.0 * 0.7 * 2 * (1 - np.cos(h)) / h**2)
    np.testing.assert_allclose(z, slope / np.sqrt(1 + slope**2), rtol=1e-8)


def test_the_energy_of_a_map_falls_at_the_rate_of_its_speed():
    flow = HarmonicMapFlow(Sphere(3), 10, 0.7, length=3.0)
    h = Sphere(3).sample(jax.random.key(0), 10)
    speed = eqx.filter_jit(flow.drift)(jnp.array(0.0), h, None)
    slope = jax.jit(lambda h, v: jax.jvp(flow.energy, (h,), (v,))[1])(h, speed)
    np.testing.assert_allclose(slope, -np.sum(np.asarray(speed) ** 2) * 3.0 / 10, rtol=1e-12)
    # A circle once around: (D/2) (2 pi/L)^2 L to second order in the spacing.
    ring = HarmonicMapFlow(Sphere(2), 200, 0.7, length=3.0)
    energy = ring.energy(on_circle(TURN * ring.places / 3))
    np.testing.assert_allclose(energy, 0.35 * TURN**2 / 3, rtol=(TURN / 200) ** 2)


def test_attention_over_windows_is_the_heat_flow_of_maps_for_long_wavelengths():
    n = 480
    s = np.arange(float(n)) * TURN / n
    h = np.stack([np.cos(s), np.sin(s), 0.4 * np.sin(2 * s) + 0.3], axis=1)
    h = jnp.asarray(h / np.linalg.norm(h, axis=1, keepdims=True))

    def error(mask):
        """|attention - its limit| over the diffusion."""
        limit = HarmonicMapFlow.of_mask(Sphere(3), mask)
        attention = AttentionFlow(Sphere(3), Softmax(0.0, mask=mask))
        zero = jnp.array(0.0)
        moves = (eqx.filter_jit(flow.drift)(zero, h, None) for flow in (attention, limit))
        return np.abs(np.subtract(*moves)).max() / float(limit.diffusion)

    def moment(p, k):
        return (k**p).mean()

    # The next term, sum w k^4/24 h_ssss, of which neighbors alone, as differences use, have the part k = 1:
    # second order in the width, less that of the spacing.
    errors, expected = [], []
    for r in (12, 6):
        k = np.arange(-float(r), r + 1)
        errors.append(error(window(n, r, periodic=True)))
        expected.append(moment(4, k) / moment(2, k) - 1)
    np.testing.assert_allclose(errors[0] / errors[1], expected[0] / expected[1], rtol=0.05)
    # Of a window that looks back, the third moment: sum w k^3/6 h_sss, of first order in the width.
    errors, expected = [], []
    for r in (12, 6):
        k = np.arange(0.0, r + 1)
        errors.append(error(window(n, r, periodic=True, backward=True)))
        expected.append((moment(3, k) - moment(1, k)) / moment(2, k))
    np.testing.assert_allclose(errors[0] / errors[1], expected[0] / expected[1], rtol=0.05)


def test_moments_of_a_mask_are_the_coefficients_of_its_limit():
    # (h^2/2) (1/5)(4 + 1 + 0 + 1 + 4), and backward, on a ring of length 14: spacing 2.
    both = HarmonicMapFlow.of_mask(Sphere(2), window(7, 2, periodic=True), 14.0)
    np.testing.assert_allclose([both.diffusion, both.velocity], [2 * 2.0, 0], atol=1e-15)
    back = HarmonicMapFlow.of_mask(Sphere(2), window(7, 2, periodic=True, backward=True), 14.0)
    np.testing.assert_allclose([back.diffusion, back.velocity], [2 * 5 / 3, -2.0], rtol=1e-14)
    # On an even ring the token halfway round is as far ahead as behind.
    even = HarmonicMapFlow.of_mask(Sphere(2), decay(4, 1.0, periodic=True), 4.0)
    total = 1 + 2 * np.exp(-1) + np.exp(-2)
    diffusion = (2 * np.exp(-1) + 4 * np.exp(-2)) / total / 2
    np.testing.assert_allclose([even.diffusion, even.velocity], [diffusion, 0], atol=1e-15)


def test_rings_and_maps_refuse_what_they_cannot_reduce():
    check_refused(lambda: TwistedRing(Softmax(1.0, mask=causal(6)), 6, 1), "places on a ring")
    with pytest.raises(ValueError, match="a symmetric mask"):
        TwistedRing(Softmax(1.0, mask=window(6, 2, periodic=True, backward=True)), 6, 1)
    with pytest.raises(ValueError, match=r"shape \[6, 6\]"):
        TwistedRing(Softmax(1.0, mask=window(5, 1, periodic=True)), 6, 1)
    check_refused(lambda: TwistedRing(Softmax(1.0, value=jnp.eye(3)), 6, 1), "simulate the tokens")
    check_refused(lambda: HarmonicMapFlow.of_mask(Sphere(3), alibi(5, 1.0)), "places on a ring")
    check_refused(lambda: HarmonicMapFlow(Sphere(3), 8, 1.0).check(jnp.eye(3)), "one point a place")


def test_tokens_that_carry_positions_do_not_collapse():
    """Attention sees x + a p, and p stays: two tokens at (+-c, s) of places +-e_1 turn by
    phi' = (s/2)((2 c + a) e^{beta <y_1, y_2>} - a e^{beta |y_1|^2}), y = x + a p."""
    beta, a = 1.0, 0.3
    see = np.hstack([np.eye(2), a * np.eye(2)])
    attention = Unnormalized(beta, see, see, np.vstack([see, np.zeros((2, 4))]))
    flow = AttentionFlow(Product(Sphere(2), Euclidean(2)), attention)

    def turning(c):
        s = np.sqrt(1 - c**2)
        state = np.array([[c, s, 1, 0], [-c, s, -1, 0]])
        moved = np.asarray(flow.drift(jnp.zeros(()), jnp.asarray(state), None))
        np.testing.assert_allclose(moved[:, 2:], 0, atol=1e-15)
        np.testing.assert_allclose(moved[0, :2], moved[1, :2] * [-1, 1], atol=1e-15)
        return moved[0, :2] @ [-s, c]

    # At rest where a e^{2 beta (a + c)^2} = 2 c + a: next to each other, or too far apart to come back.
    excess = lambda c: a * np.exp(2 * beta * (a + c) ** 2) - 2 * c - a
    near, far = brentq(excess, 0, 0.3, xtol=1e-15), brentq(excess, 0.3, 1, xtol=1e-15)
    np.testing.assert_allclose([turning(near), turning(far)], 0, atol=1e-14)
    # One point is left: phi falls. Tokens come to rest at c = near; beyond far each goes to its place.
    apart = np.exp(beta * (1 - a**2)) - np.exp(beta * (1 + a**2))
    assert turning(0.0) == pytest.approx(a / 2 * apart)
    assert turning(0.9 * near) < 0 < turning(1.1 * near) and turning(1.01 * far) < 0
