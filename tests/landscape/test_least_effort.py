"""Controls of least effort against problems that are solved by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose

from meanfield.landscape import least_effort

TIMES = jnp.linspace(0.0, 1.0, 5)
START = jnp.array([0.1, 3.0, 0.2, 0.1, 2.0])
PUSH = jnp.array([1.0, 2.0, 0.5])
PRICE = jnp.array([1.0, 3.0, 0.2])


def outcome(values):
    """A gap that closes at the rate of the control, at the price of the control squared."""
    return jnp.trapezoid(values**2, TIMES), jnp.exp(-2 * jnp.trapezoid(values, TIMES))


def linear(values):
    """A gap 1 - <push, c> at the price sum price c^2: the goal |gap|^2."""
    return PRICE @ values**2, (1 - PUSH @ values) ** 2


def test_the_least_effort_is_spread_evenly():
    found = least_effort(outcome, START, jnp.exp(-2.0))
    assert found.converged
    # Of all controls of integral 1 the constant has the least square.
    assert_allclose(found.effort, 1.0, rtol=1e-5)
    assert_allclose(found.control, 1.0, atol=1e-2)
    # effort = (log bound)^2/4: d log effort = -2 d log(bound)/log(1/bound) = -d log bound.
    assert_allclose(found.multiplier, 1.0, rtol=1e-2)


def test_a_linear_goal_is_met_at_the_effort_of_its_dual():
    """min sum p c^2 with <b, c> = g has the value g^2 / sum(b^2/p)."""
    bound = 1e-3
    least = (1 - bound**0.5) ** 2 / float(jnp.sum(PUSH**2 / PRICE))
    found = least_effort(linear, jnp.array([0.9, 0.0, 0.1]), bound)
    assert found.converged
    # SLSQP leaves 1e-9 of the logarithms.
    assert_allclose(found.effort, least, rtol=1e-6)
    early = least_effort(linear, jnp.array([0.9, 0.0, 0.1]), bound, iterations=1)
    assert not early.converged


def test_what_is_feasible_but_dear_has_not_converged():
    # One control alone reaches the goal: 22 % dearer than the least, but within the bound.
    gap = 1 - 1e-3**0.5
    dear = jnp.array([gap * 0.3, 0.0, gap * 1.4])
    still = optax.sgd(0.0)
    found = least_effort(linear, dear, 1e-3, optimizer=still, iterations=1)
    least = gap**2 / float(jnp.sum(PUSH**2 / PRICE))
    assert found.cost <= 1.01e-3 and found.effort > 1.2 * least
    assert not found.converged and found.residual > 0.3


def test_the_augmented_lagrangian_learns_its_multiplier():
    """log effort = 2 log c and log cost = -4 c: the multiplier is .5, where it starts from 1.

    With m held at 1 the least of the Lagrangian is off the bound: its slope 2/c = 4 (m + 10 excess)
    has the excess (.5 - 1)/10 = -5 %, c = 1.0125.
    """

    def one(value):
        return value[0] ** 2, jnp.exp(-4 * value[0])

    found = least_effort(
        one, jnp.array([0.8]), float(np.exp(-4)), optimizer=optax.sgd(0.005), iterations=300
    )
    assert found.converged
    assert_allclose(found.control, 1.0, rtol=1e-3)
    assert_allclose(found.multiplier, 0.5, rtol=1e-3)


FINE, KNOTS = jnp.linspace(0.0, 1.0, 401), jnp.linspace(0.0, 1.0, 9)


@pytest.mark.parametrize(("rate", "left"), [(0.0, 0.1), (-1.0, 0.05), (1.5, 0.5)])
def test_no_constant_is_as_good_as_the_schedule(rate, left):
    """A gap with g' = rate g - s g, at the price (s g)^2: u = s g is best where it falls like e^{-rate t}."""

    def pulled(strengths):
        s = jnp.interp(FINE, KNOTS, strengths)
        passed = jnp.cumsum((s[1:] + s[:-1]) / 800)
        gap = jnp.exp(rate * FINE - jnp.pad(passed, (1, 0)))
        return jnp.trapezoid((s * gap) ** 2, FINE), gap[-1] ** 2

    found = least_effort(pulled, jnp.full(9, 1.0), left**2)
    assert found.converged
    # left e^{-rate} = 1 - c I at a price of c^2 I, I the integral of e^{-2 rate t}.
    whole = -np.expm1(-2 * rate) / (2 * rate) if rate else 1.0
    least = (1 - left * np.exp(-rate)) ** 2 / whole
    # Strengths that are linear in pieces of 1/8, where the best one, u/g, bends by its square: a few
    # thousandths; by trapezoids of 1/400, which err by 1e-5.
    assert least * (1 - 1e-4) <= found.effort <= 1.005 * least
    constants = jnp.linspace(0.0, 12.0, 601)
    efforts, costs = jax.vmap(lambda s: pulled(jnp.full(9, s)))(constants)
    enough = costs <= 1.01 * left**2
    assert 20 < enough.sum() < 600
    assert efforts[enough].min() > 1.03 * found.effort


def test_a_goal_out_of_reach_is_reported():
    for optimizer in (None, optax.adam(0.05)):
        found = least_effort(outcome, jnp.ones(5), 1e-9, iterations=2, optimizer=optimizer)
        assert not found.converged
    nothing = least_effort(lambda c: (jnp.sum(c**2), jnp.exp(0 * c[0])), jnp.ones(2), 0.1)
    assert not nothing.converged


@pytest.mark.parametrize(
    ("start", "bound", "sentence"),
    [
        (jnp.ones(5), -1.0, "expected bound > 0, .*; pass a part"),
        (jnp.ones(5), 0.0, "expected bound > 0, .*; pass a part"),
        (jnp.zeros(5), 0.1, "expected a start of positive effort, .*; pass 0.1"),
    ],
)
def test_bad_input_is_refused(start, bound, sentence):
    with pytest.raises(ValueError, match=sentence):
        least_effort(outcome, start, bound)
