from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._checks import check_finite, guard
from ..._hooks import times_of
from ..._typing import Points, Scalar, Weights
from ...attention.kernels import AbstractAttention, AbstractSchedule, at, attention_at
from ...geometry import AbstractGeometry, Sphere
from .._base import AbstractParticles, State, as_noise, as_weights, check_cloud, replace_weights
from ._forces import for_each_token, force_shape
from ._normalizations import AbstractNormalization, over


class AttentionFlow(AbstractParticles):
    """Tokens that move by attention: a transformer of infinitely many thin layers.

    x_i' = P_{x_i} (A_i + mlp(x_i)) (+ sqrt(2 noise) dB_i),  A_i = attention(x)_i - grad V(x_i)

    On `Sphere(d)` P projects on the tangent space (this is Post normalization); on `Euclidean(d)` it
    is the identity. The state is the cloud [n, d]; with `PreNorm`, `PeriNorm` or `MixNorm` it is the
    pair (directions [n, d], radii [n]). A normalization of scale s and growth g treats the two
    blocks of a transformer alike and one by one, each by its own length where lengths matter:

    x_i' = P_{x_i} (A_i/s(A_i) + M_i/s(M_i)),  r_i' = g(A_i) + g(M_i),  M_i = mlp(x_i),

    the limit of thin layers that take attention and then the MLP (`TransformerLayers`).

    - `attention`: how tokens attract, or a schedule of attentions in time (`Varying`, `Layers`).
    - `normalization`: None, or `PostNorm()`, `PreNorm()`, `PeriNorm()`, `MixNorm(tau)`, `NGPT(alpha)`,
      `SqrtNorm()`; needs a sphere.
    - `potential`: V, a function of one point [d] that the tokens descend.
    - `noise`: nu >= 0, with generator nu * Laplacian; `simulate` then needs `key` and `dt`.
    - `weights`: masses of the tokens, uniform by default.
    - `mlp`: a feed-forward layer, from one point [d] to a vector [d], such as
      `equinox.nn.MLP(d, d, width, depth, key=key)`; learn it by gradients through `simulate`. Or a
      schedule of such in time (`Varying`, `Layers`).

    Raises ValueError for a normalization without a sphere, a value matrix that leaves R^d, noise on
    radii, or (when it runs) an MLP that leaves R^d.
    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, section 2.
    """

    geometry: AbstractGeometry
    attention: AbstractAttention | AbstractSchedule
    normalization: AbstractNormalization | None = None
    potential: Callable[[Float[Array, " d"]], Scalar] | None = None
    noise: Scalar | None = eqx.field(default=0.0, converter=as_noise)
    weights: Weights | None = eqx.field(default=None, converter=as_weights)
    mlp: Callable[[Float[Array, " d"]], Float[Array, " d"]] | AbstractSchedule | None = None

    def __check_init__(self):
        super().__check_init__()  # kinds before what they must be together
        if self.normalization is not None and not isinstance(self.geometry, Sphere):
            raise ValueError(
                "expected a Sphere for a normalization, got another geometry; "
                "use Sphere(d) or leave the normalization out."
            )
        if self._radial and self.noise is not None:
            raise ValueError("expected no noise for tokens with radii; use noise=0 or PostNorm().")

    @property
    def _radial(self) -> bool:
        return self.normalization is not None and self.normalization.radial

    def blocks(self, t: Scalar, x: Points) -> list[Points]:
        """What the blocks of a layer add to each token: attention less grad V, and the MLP if any."""
        force = attention_at(self.attention, t)(x, None, self.weights)
        if self.potential is not None:
            force = force - jax.vmap(jax.grad(self.potential))(x)
        return [force] if self.mlp is None else [force, for_each_token(at(self.mlp, t), x)]

    def field(self, t: Scalar, x: Points) -> Points:
        """The ambient velocity of each token before projection and normalization."""
        return _total(self.blocks(t, x))

    def drift(self, t: Scalar, state: State, args: Any) -> State:
        if self.normalization is None:
            return self.geometry.extend(lambda u: self.field(t, u), state)
        theta, r = state if self._radial else (state, jnp.ones(state.shape[0], state.dtype))
        u, norm = self.geometry.project(theta), self.normalization
        forces = self.blocks(t, u)
        scaled = _total([over(force, norm.scale(t, r, u, force)[:, None]) for force in forces])
        turning = self.geometry.extend(lambda _: scaled, theta)
        if not self._radial:
            return turning
        return turning, _total([norm.growth(t, r, u, force) for force in forces])

    def requirements(self, state: State) -> dict[str, Bool[Array, ""]]:
        if not self._radial:
            return {}
        return {"a radius has come to 0; shorten ts, or use PostNorm()": (state[1] > 0).all()}

    def project(self, state: State) -> State:
        if self._radial:
            return self.geometry.project(state[0]), state[1]
        return self.geometry.project(state)

    def check(self, state: Any) -> State:
        if not self._radial:
            return self._check_tokens(state)
        if not isinstance(state, tuple) or len(state) != 2:
            raise ValueError(
                "expected a pair (directions [n, d], radii [n]) for this normalization, "
                "got one array; pass (x0, jax.numpy.ones(n))."
            )
        theta = self._check_tokens(state[0])
        r = check_finite(state[1], "radii")
        if r.shape != theta.shape[:1]:
            raise ValueError(
                f"expected radii of shape [{theta.shape[0]}], got {list(r.shape)}; pass one a token."
            )
        return theta, guard(r, (r > 0).all(), "expected positive radii; pass jax.numpy.ones(n).")

    def _check_tokens(self, x: Any) -> Points:
        x = check_cloud(self.geometry, self.weights, x)
        shape = force_shape(self.attention, x)
        if shape != x.shape:
            raise ValueError(
                f"expected a square value matrix for tokens that move in R^{x.shape[1]}, got one "
                f"with {shape[1]} rows; multiply it by the output matrix."
            )
        return x

    def jumps(self) -> Float[Array, " jumps"] | None:
        sources = (self.attention, self.normalization, self.mlp)
        return times_of(
            s.jumps() for s in sources if isinstance(s, AbstractSchedule | AbstractNormalization)
        )

    def solved(self, t: Scalar, state: State, args: Any) -> Bool[Array, ""] | None:
        x = self.geometry.project(state[0] if self._radial else state)
        return attention_at(self.attention, t).solved(x, None, self.weights)

    def reweight(self, weights: Weights) -> "AttentionFlow":
        return replace_weights(self, weights)


def _total(terms: list[Array]) -> Array:
    return sum(terms[1:], start=terms[0])
