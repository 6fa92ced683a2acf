import jax.numpy as jnp
import pytest
from numpy.testing import assert_allclose

from meanfield.landscape import least_effort

TIMES = jnp.linspace(0.0, 1.0, 5)


def outcome(values):
    """A gap that closes at the rate of the control, at the price of the control squared."""
    return jnp.trapezoid(values**2, TIMES), jnp.exp(-2 * jnp.trapezoid(values, TIMES))


def test_the_least_effort_is_spread_evenly():
    start = jnp.array([0.1, 3.0, 0.2, 0.1, 2.0])
    found = least_effort(outcome, start, jnp.exp(-2.0), iterations=400)
    assert found.converged
    # Of all controls of integral 1 the constant has the least square; Adam's steps leave 1 %.
    assert_allclose(found.effort, 1.0, atol=0.02)
    assert_allclose(found.control, 1.0, atol=0.1)


def test_a_goal_out_of_reach_is_reported():
    found = least_effort(outcome, jnp.ones(5), 1e-6, iterations=2)
    assert not found.converged


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
