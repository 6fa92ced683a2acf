from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_finite, guard
from .._typing import Points, Scalar, Weights
from ..attention import AbstractAttention, AbstractSchedule, attention_at
from ..geometry import AbstractGeometry, Sphere
from ._base import AbstractParticles, State, as_noise, as_weights, check_cloud, replace_weights
from ._normalizations import AbstractNormalization


class AttentionFlow(AbstractParticles):
    """Tokens that move by attention: a transformer of infinitely many thin layers.

    x_i' = P_{x_i} (attention(x)_i - grad V(x_i)) (+ sqrt(2 noise) dB_i)

    On `Sphere(d)` P projects on the tangent space (this is Post normalization); on `Euclidean(d)` it
    is the identity. The state is the cloud [n, d]; with `PreNorm`, `PeriNorm` or `MixNorm` it is the
    pair (directions [n, d], radii [n]).

    - `attention`: how tokens attract, or a schedule of attentions in time (`Varying`, `Layers`).
    - `normalization`: None or one of the six; needs a sphere.
    - `potential`: V, a function of one point [d] that the tokens descend.
    - `noise`: nu >= 0, with generator nu * Laplacian; `simulate` then needs `key` and `dt`.
    - `weights`: masses of the tokens, uniform by default.

    Raises ValueError for a normalization without a sphere, a value matrix that leaves R^d, or noise on
    radii.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, section 2.
    """

    geometry: AbstractGeometry
    attention: AbstractAttention | AbstractSchedule
    normalization: AbstractNormalization | None = None
    potential: Callable[[Float[Array, " d"]], Scalar] | None = None
    noise: Scalar | None = eqx.field(default=0.0, converter=as_noise)
    weights: Weights | None = eqx.field(default=None, converter=as_weights)

    def __check_init__(self):
        if self.normalization is not None and not isinstance(self.geometry, Sphere):
            raise ValueError(
                "expected a Sphere for a normalization, got another geometry; "
                "use Sphere(d) or leave the normalization out."
            )
        value = getattr(self.attention, "value", None)
        if value is not None and value.shape[0] != self.geometry.d:
            raise ValueError(
                f"expected a square value matrix for tokens that move in R^{self.geometry.d}, "
                f"got shape {list(value.shape)}; multiply it by the output matrix."
            )
        if self._radial and self.noise is not None:
            raise ValueError("expected no noise for tokens with radii; use noise=0 or PostNorm().")

    @property
    def _radial(self) -> bool:
        return self.normalization is not None and self.normalization.radial

    def field(self, t: Scalar, x: Points) -> Points:
        """The ambient velocity of each token before projection and normalization."""
        force = attention_at(self.attention, t)(x, None, self.weights)
        if self.potential is None:
            return force
        return force - jax.vmap(jax.grad(self.potential))(x)

    def drift(self, t: Scalar, state: State, args: Any) -> State:
        if self.normalization is None:
            return self.geometry.extend(lambda u: self.field(t, u), state)
        theta, r = state if self._radial else (state, jnp.ones(state.shape[0], state.dtype))
        u = self.geometry.project(theta)
        force = self.field(t, u)
        scale = self.normalization.scale(t, r, u, force)
        turning = self.geometry.extend(lambda _: force / scale[:, None], theta)
        return (turning, self.normalization.growth(t, r, u, force)) if self._radial else turning

    def project(self, state: State) -> State:
        if self._radial:
            return self.geometry.project(state[0]), state[1]
        return self.geometry.project(state)

    def check(self, state: Any) -> State:
        if not self._radial:
            if isinstance(state, tuple | list):
                raise ValueError(
                    "expected one array of tokens [n, d], got a tuple; drop the radii."
                )
            return check_cloud(self.geometry, self.weights, state)
        if not isinstance(state, tuple) or len(state) != 2:
            raise ValueError(
                "expected a pair (directions [n, d], radii [n]) for this normalization, "
                "got one array; pass (x0, jax.numpy.ones(n))."
            )
        theta = check_cloud(self.geometry, self.weights, state[0])
        r = check_finite(state[1], "radii")
        if r.shape != theta.shape[:1]:
            raise ValueError(
                f"expected radii of shape [{theta.shape[0]}], got {list(r.shape)}; pass one a token."
            )
        return theta, guard(r, (r > 0).all(), "expected positive radii; pass jax.numpy.ones(n).")

    def jumps(self) -> Float[Array, " jumps"] | None:
        sources = (self.attention, self.normalization)
        times = [
            s.jumps() for s in sources if isinstance(s, AbstractSchedule | AbstractNormalization)
        ]
        times = [each for each in times if each is not None]
        return jnp.concatenate(times) if times else None

    def reweight(self, weights: Weights) -> "AttentionFlow":
        return replace_weights(self, weights)
