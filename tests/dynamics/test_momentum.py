"""Tokens with inertia and the fluid that they are: invariants, a pendulum, the time of a shock."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.integrate import solve_ivp
from unit_vectors import normal, unit_vectors

import meanfield as mf
from meanfield.dynamics import MomentumFlow
from meanfield.landscape import alignment_blow_up

SPHERE = mf.geometry.Sphere(3)
W = jnp.array([0.1, 0.3, 0.2, 0.4])
X = unit_vectors(0, 4, 3)
P = jnp.asarray(np.cross(X, normal(1, 4, 3)))


def rates(flow, function):
    """d/dt of functions of the state along the flow, by forward differentiation."""
    return jax.jvp(function, ((X, P),), (flow.drift(jnp.zeros(()), (X, P), None),))[1]


@pytest.mark.parametrize("friction", [0.0, 0.7])
def test_invariants_and_energy(friction):
    beta = 2.0
    energy = mf.energies.Interaction(beta)
    flow = MomentumFlow(SPHERE, mf.attention.Unnormalized(beta), friction, W)

    def facts(state):
        x, p = state
        return (x * x).sum(axis=1), (x * p).sum(axis=1), flow.kinetic(p) - energy(x, W)

    on, tangent, total = rates(flow, facts)
    np.testing.assert_allclose(on, 0, atol=1e-14)
    np.testing.assert_allclose(tangent, 0, atol=1e-14)
    # d/dt sum w |p|^2/2 = sum w <p, grad E> - friction sum w |p|^2: the first is dE/dt.
    want = -friction * float(W @ (P**2).sum(axis=1))
    np.testing.assert_allclose(total, want, atol=1e-14)


def test_two_tokens_are_a_pendulum():
    """The angle between them: a'' = -e^{beta cos a} sin a - friction a', by scipy."""
    beta, friction, start, speed = 1.5, 0.4, 1.0, 0.3
    x = jnp.array([[1.0, 0.0, 0.0], [np.cos(start), np.sin(start), 0.0]])
    p = jnp.array(
        [[0.0, -speed / 2, 0.0], [-np.sin(start) * speed / 2, np.cos(start) * speed / 2, 0.0]]
    )
    flow = MomentumFlow(SPHERE, mf.attention.Unnormalized(beta), friction)
    run = mf.simulate(flow, (x, p), jnp.array([0.0, 3.0]), tol=1e-9)
    x, p = run.final

    def pendulum(t, s):
        return [s[1], -np.exp(beta * np.cos(s[0])) * np.sin(s[0]) - friction * s[1]]

    angle, rate = solve_ivp(pendulum, (0, 3), [start, speed], rtol=1e-11, atol=1e-12).y[:, -1]
    # Both turn about the same axis, against each other.
    first, second = np.arctan2(x[:, 1], x[:, 0])
    np.testing.assert_allclose(second - first, angle, atol=1e-6)
    np.testing.assert_allclose(p[0] @ p[0], (rate / 2) ** 2, atol=1e-6)
    np.testing.assert_allclose((x * p).sum(axis=1), 0, atol=1e-14)


def test_starts_that_do_not_fit_are_refused():
    flow = MomentumFlow(SPHERE, mf.attention.Softmax(1.0))
    check_refused(lambda: flow.check(X), "zeros_like")
    check_refused(lambda: flow.check((X, P[:2])), "one a token")
    check_refused(lambda: flow.check((X, P + 0.1 * X)), "to_tangent")
    check_refused(
        lambda: MomentumFlow(mf.geometry.Euclidean(3), mf.attention.Softmax(1.0)), "Sphere"
    )


def test_blow_up_of_alignment():
    np.testing.assert_allclose(alignment_blow_up(-2.0), np.log(2), rtol=1e-15)
    assert alignment_blow_up(-1.0) == np.inf and alignment_blow_up(0.5) == np.inf
    # 1/q' = 1 + k/q: by quadrature of time over 1/q from 1/q_0 to 0.
    k, q = 0.6, -1.7
    s = np.linspace(1 / q, 0, 20001)
    np.testing.assert_allclose(alignment_blow_up(q, k), np.trapezoid(1 / (1 + k * s), s), rtol=1e-9)


def test_particles_that_align_meet_when_the_closure_says():
    """Neighbors meet once 1 + q (1 - e^{-k t})/k = 0, q the slope between them; by scipy."""
    k, x = 0.8, np.linspace(-1.5, 1.5, 31)
    v = -2.0 * np.sin(x) + 0.3

    def meet(t, s):
        return np.diff(s[:31]).min()

    meet.terminal = True
    found = solve_ivp(
        lambda t, s: np.concatenate([s[31:], k * (s[31:].mean() - s[31:])]),
        (0, 5), np.concatenate([x, v]), rtol=1e-10, atol=1e-12, events=meet,
    )  # fmt: skip
    slope = (np.diff(v) / np.diff(x)).min()
    np.testing.assert_allclose(found.t_events[0][0], alignment_blow_up(slope, k), rtol=1e-7)
