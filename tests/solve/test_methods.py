"""Parts of methods by themselves: interpolation within a step, and what begins at a border."""

import jax.numpy as jnp
import pytest

from meanfield.solve.methods._implicit_explicit import implicit_explicit
from meanfield.solve.methods._until import NOTHING, _condition


def test_steps_of_two_parts_are_interpolated_by_the_slope_of_both():
    # y = t^3: its slopes times the step are 0 and 3, of which the parts have 5 - 2.
    parts = tuple(
        {"y": jnp.array([sign * 4.0, 0.0, last])} for sign, last in ((1, 5.0), (-1, -2.0))
    )
    ends = {"y0": {"y": jnp.array(0.0)}, "y1": {"y": jnp.array(1.0)}}
    between = implicit_explicit().interpolation_cls(
        t0=jnp.array(0.0), t1=jnp.array(1.0), k=parts, **ends
    )
    assert between.evaluate(0.5)["y"] == pytest.approx(1 / 8, rel=1e-12)


@pytest.mark.parametrize("length", [0.01, 100.0])
def test_what_is_zero_but_for_rounding_counts_by_the_length_of_the_run(length):
    state, start, end = jnp.array(2.0), jnp.array(0.0), jnp.array(length)
    for share, positive in ((0.5, True), (2.0, False)):
        below = share * NOTHING * 3 * length
        excess = lambda t, y, args, below=below: 3 * (y - 2) - below
        value = _condition(excess, lambda t, y, args: jnp.ones_like(y), state, start, end, None)
        assert (value(start, state, None) > 0) == positive
