"""Tokens with inertia as a fluid: its equations, and streams that pass each other."""

import jax
import jax.numpy as jnp
import numpy as np
from refusals import check_refused
from scipy.special import iv
from unit_vectors import masses, unit_vectors

from meanfield.attention import Unnormalized
from meanfield.dynamics import MomentumFlow
from meanfield.geometry import Sphere
from meanfield.observables import fluid

AT = jnp.array([0.3, 1.0, 2.5, -2.0])


def moving(theta, omega):
    """Tokens at angles, and their velocities."""
    x = np.stack([np.cos(theta), np.sin(theta)], axis=1)
    return jnp.asarray(x), jnp.asarray(np.asarray(omega)[:, None] * x[:, ::-1] * [-1, 1])


def test_moment_equations_hold_on_particles():
    friction, width = 0.7, 0.4
    x, w = unit_vectors(0, 6, 2), masses(1, 6)
    p = jnp.asarray(np.linspace(-1, 2, 6))[:, None] * x[:, ::-1] * jnp.array([-1.0, 1.0])
    attention = Unnormalized(1.5)
    flow = MomentumFlow(Sphere(2), attention, friction, w)

    def moments(state, at):
        found = fluid(*state, at, width, w)
        flux = found.density * found.velocity
        return found.density, flux, flux * found.velocity + found.pressure

    @jax.jit
    def both(state):
        forward = flow.drift(jnp.zeros(()), state, None)
        in_time = jax.jvp(lambda s: moments(s, AT), (state,), (forward,))[1]
        in_space = jax.jvp(lambda a: moments(state, a), (AT,), (jnp.ones_like(AT),))[1]
        pull = attention(state[0], None, w)
        force = state[0][:, 0] * pull[:, 1] - state[0][:, 1] * pull[:, 0]
        push = fluid(
            state[0], force[:, None] * state[0][:, ::-1] * jnp.array([-1.0, 1.0]), AT, width, w
        )
        return in_time, in_space, push.density * push.velocity, moments(state, AT)

    in_time, in_space, force, now = both((x, p))
    np.testing.assert_allclose(in_time[0], -in_space[1], atol=1e-12)
    np.testing.assert_allclose(in_time[1], -in_space[2] + force - friction * now[1], atol=1e-12)


def test_of_a_uniform_law_whose_velocity_is_a_sine():
    """A kernel of von Mises turns e^{ik theta} into I_k/I_0 of it."""
    theta, width, s = 2 * np.pi * np.arange(200) / 200, 0.5, 1.7
    found = fluid(*moving(theta, s * np.sin(theta)), AT, width)
    first, second = (iv(k, width**-2) / iv(0, width**-2) for k in (1, 2))
    np.testing.assert_allclose(found.density, 1, atol=1e-12)
    np.testing.assert_allclose(found.velocity, s * first * np.sin(AT), atol=1e-12)
    variance = (1 - second * np.cos(2 * AT)) / 2 - (first * np.sin(AT)) ** 2
    np.testing.assert_allclose(found.pressure, s**2 * variance, atol=1e-12)


def test_pressure_stays_0_until_streams_cross():
    """Velocities q sin x that align, x(t) = x + q s sin x, s = 1 - e^{-t}: tokens meet at s = -1/q."""
    q, theta = -2.0, np.pi * (2 * np.arange(4000) + 1 - 4000) / 4000
    at = jnp.zeros(1)

    def pressures(s, widths):
        x, p = moving(theta + q * s * np.sin(theta), q * (1 - s) * np.sin(theta))
        return [fluid(x, p, at, width) for width in widths]

    s, width = 0.3, 0.05
    one, two = (found.pressure[0] for found in pressures(s, (width, width / 2)))
    slope, density = q * (1 - s) / (1 + q * s), 1 / (1 + q * s)
    # width^2 density slope^2 (1 - b width^2 + ...), b = 20: halves leave the square of the second term.
    np.testing.assert_allclose(one / two, 4, rtol=20 * width**2)
    exact = width**2 * density * slope**2
    np.testing.assert_allclose((16 * two - one) / 3, exact, rtol=(20 * width**2) ** 2)
    # Later three streams pass the middle: one at rest, two at x = +-b, b = -q s sin b, of equal density.
    s, b = 0.8, 1.0
    for _ in range(100):
        b = -q * s * np.sin(b)
    speed, density = q * (1 - s) * np.sin(b), 2 / abs(1 + q * s * np.cos(b))
    found = pressures(s, (0.02,))[0]
    np.testing.assert_allclose(found.pressure[0], density * speed**2, rtol=2e-2)
    np.testing.assert_allclose(found.density[0], density + 1 / abs(1 + q * s), rtol=2e-2)


def test_refusals():
    x, p = moving([0.0, 1.0], [1.0, 1.0])
    check_refused(lambda: fluid(x, p[:1], AT), "Sphere(2)")
    check_refused(lambda: fluid(unit_vectors(0, 2, 3), unit_vectors(0, 2, 3), AT), "Sphere(2)")


def test_all_parts_have_the_precision_of_the_tokens():
    x, p = moving([0.0, 1.0], [1.0, 1.0])
    with jax.numpy_dtype_promotion("standard"):
        found = fluid(jnp.asarray(x, jnp.float32), jnp.asarray(p), AT)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
