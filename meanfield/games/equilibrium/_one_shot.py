from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_finite, check_nonnegative
from ..._typing import Scalar
from ._game import AbstractGame, Controls, check_controls


class OneShot(AbstractGame):
    """Players on R^d who each take one step toward the mean of all.

        J_i = |u_i|^2/2 + (weight/2) |y_i - mean y|^2,    y = x0 + u

    With N = 2, weight 4 and distance 1 Nash players move 1/3 each and pay 1/9; a leader moves .2, makes
    the other move .4, and pays .1.

    - `weight`: of the square of the distance that is left, >= 0. x0 is [N, d].
    """

    weight: Scalar = eqx.field(converter=lambda q: check_nonnegative(q, "weight"))

    def costs(
        self, controls: Float[Array, "..."], x0: Any, ts: Any = None
    ) -> Float[Array, " players"]:
        controls = check_controls(controls, self.blank(x0), remedy="change those of game.blank(x0)")
        left = x0 + controls
        left = left - left.mean(axis=0)
        away = self.weight.astype(left.dtype) * jnp.sum(left**2, axis=1)
        return (jnp.sum(controls**2, axis=1) + away) / 2

    def blank(self, x0: Any, ts: Any = None) -> Controls:
        x0 = check_finite(x0, "x0")
        if x0.ndim != 2 or len(x0) < 2:
            raise ValueError(
                f"expected x0 of shape [N, d] with N >= 2, got {list(x0.shape)}; pass one row a player."
            )
        return jnp.zeros_like(x0)
