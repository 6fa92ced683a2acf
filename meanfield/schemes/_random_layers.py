from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_dimension, check_key, check_points, check_positive, check_scalar
from .._typing import Key, Points, Scalar
from ..attention.kernels import AbstractAttention
from ..geometry import Sphere
from ._base import AbstractScheme


class RandomLayers(AbstractScheme):
    """Layers with random value matrices, one draw a layer for all tokens:

        x <- N(x + sqrt(h) V m + h pull m),   m = attention(x),   V_ab ~ N(0, s^2) independent

    with N(x) = x/|x|. With h -> 0 the law of the tokens tends to that of `RandomValues`.

    - `d`: the dimension. `attention`: any with values in R^d. `key`: of the draws, one a layer.
    - `scale`: s > 0. `pull`: the mean of the matrices over sqrt(h). `step_size`: h > 0.

    The state is (tokens [n, d], layers passed []): a start of tokens alone begins at layer 0. Raises
    ValueError for numbers out of range or a start of another shape.
    Source: arXiv 2601.21942.
    """

    d: int = eqx.field(static=True, converter=lambda d: check_dimension(d, least=2))
    attention: AbstractAttention
    key: Key = eqx.field(converter=check_key)
    scale: Scalar = eqx.field(default=1.0, converter=lambda s: check_positive(s, "scale"))
    step_size: Scalar = eqx.field(default=0.01, converter=lambda h: check_positive(h, "step_size"))
    pull: Scalar = eqx.field(default=0.0, converter=lambda p: check_scalar(p, "pull"))

    def step(self, state: Any, args: Any) -> tuple[Any, dict[str, Array]]:
        x, layer = state
        h, scale, pull = (a.astype(x.dtype) for a in (self.step_size, self.scale, self.pull))
        key = jax.random.fold_in(self.key, jnp.round(layer).astype(jnp.uint32))
        values = scale * jax.random.normal(key, (self.d, self.d), x.dtype)
        moment = self.attention(x)
        x = x + jnp.sqrt(h) * moment @ values.T + h * pull * moment
        converged = self.attention.solved(state[0])
        done = Sphere(self.d).project(x), layer + 1
        return done, {} if converged is None else {"converged": converged}

    def project(self, state: Any) -> Any:
        return state

    def check(self, state) -> tuple[Points, Float[Array, ""]]:
        x, layer = state if isinstance(state, tuple) and len(state) == 2 else (state, 0.0)
        x = Sphere(self.d).check(check_points(x, self.d, "x0"), "x0")
        return x, check_scalar(layer, "layer").astype(x.dtype)
