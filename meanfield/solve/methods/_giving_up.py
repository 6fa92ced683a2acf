from collections.abc import Callable
from typing import Any

import diffrax
import jax.numpy as jnp


class Advancing(diffrax.AbstractAdaptiveStepSizeController):
    """An adaptive controller that ends the run once its steps cannot get any smaller.

    That is what a drift of NaN, or one that blows up, does to any adaptive method: each step is
    rejected for a smaller one, which would go on until all steps are used up.
    """

    controller: diffrax.AbstractAdaptiveStepSizeController

    @property
    def rtol(self) -> Any:
        return self.controller.rtol

    @property
    def atol(self) -> Any:
        return self.controller.atol

    @property
    def norm(self) -> Callable:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.controller.norm

    def wrap(self, direction):
        return Advancing(self.controller.wrap(direction))  # pyright: ignore[reportCallIssue]

    def init(self, terms, t0, t1, y0, dt0, args, func, error_order):
        return self.controller.init(terms, t0, t1, y0, dt0, args, func, error_order)

    def adapt_step_size(self, t0, t1, y0, y1_candidate, args, y_error, error_order, state):
        keep, start, end, jumped, state, result = self.controller.adapt_step_size(
            t0, t1, y0, y1_candidate, args, y_error, error_order, state
        )
        # A rejected step must be followed by a shorter one; at the last digit of the time there is
        # none. Written so that NaN counts as stuck.
        stuck = jnp.logical_not((end > start) & (keep | (end < t1)))
        result = diffrax.RESULTS.where(stuck, diffrax.RESULTS.dt_min_reached, result)
        return keep, start, end, jumped, state, result
