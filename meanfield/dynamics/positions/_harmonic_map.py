from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..._checks import check_integer, check_nonnegative, check_positive, check_scalar
from ..._door import door
from ..._typing import Points, Scalar
from ...attention.masks import AbstractMask, ring_bias
from ...geometry import AbstractGeometry
from .._base import AbstractDynamics


class HarmonicMapFlow(AbstractDynamics):
    """Tokens in a continuum of positions: the heat flow of maps from a ring or a line to the sphere.

    h_t = velocity P_h h_s + diffusion P_h h_ss,   s in [0, length)

    P_h is the projection on the tangent space at h, so that on the circle h = (cos a, sin a) the angle
    obeys the heat equation a_t = velocity a_s + diffusion a_ss. It is the limit of attention over windows
    of positions for long wavelengths (`of_mask`). Without velocity the energy, `energy(h)`, falls; winding
    numbers are kept on the circle and unwind on spheres of d >= 3.

    - `n`: places at which h is known, (i + 1/2) length/n, by centered differences of second order.
    - `velocity`: positive carries h toward smaller s. `diffusion` >= 0.
    - `periodic`: a ring; otherwise a line without flux through its ends.

    The state is h at the places, [n, d]. Raises ValueError for n < 3 or a start that is not [n, d].
    Source: Eells, Sampson, Amer. J. Math. 86 (1964), 109-160.
    """

    geometry: AbstractGeometry
    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n", 3))
    diffusion: Scalar = eqx.field(converter=lambda a: check_nonnegative(a, "diffusion"))
    velocity: Scalar = eqx.field(default=0.0, converter=lambda a: check_scalar(a, "velocity"))
    length: Scalar = eqx.field(default=2 * jnp.pi, converter=lambda a: check_positive(a, "length"))
    periodic: bool = eqx.field(static=True, default=True)

    @staticmethod
    @door
    def of_mask(
        geometry: AbstractGeometry, mask: AbstractMask, length: float | Scalar = 2 * jnp.pi
    ) -> "HarmonicMapFlow":
        """The limit of uniform attention (beta = 0) under a mask of places on a ring.

        velocity = h sum_k w_k k,   diffusion = (h^2/2) sum_k w_k k^2,   h = length/n

        for weights w_k = e^{m_k}/Z between tokens i and i + k, |k| <= n/2. The error is of second order
        in the width of the window over the wavelength, and of second order in h.
        """
        n, length = mask.shape[0], check_positive(length, "length")
        weights = jax.nn.softmax(ring_bias(mask, n))
        apart = jnp.arange(n, dtype=weights.dtype)
        apart = jnp.where(2 * apart > n, apart - n, apart)
        # The token halfway round is as far ahead as behind.
        ahead = jnp.where(2 * apart == n, 0, apart)
        spacing = length / n
        diffusion, velocity = spacing**2 / 2 * (weights @ apart**2), spacing * (weights @ ahead)
        return HarmonicMapFlow(geometry, n, diffusion, velocity, length)

    @property
    def places(self) -> Float[Array, " n"]:
        """The positions s at which h is known."""
        return (jnp.arange(self.n, dtype=self.length.dtype) + 0.5) * self.length / self.n

    def drift(self, t: Scalar, state: Points, args: Any) -> Points:
        return self.geometry.extend(self._field, state)

    def project(self, state: Points) -> Points:
        return self.geometry.project(state)

    def check(self, state) -> Points:
        state = self.geometry.check(state, "x0")
        if len(state) != self.n:
            raise ValueError(
                f"expected one point a place, shape {[self.n, self.geometry.d]}, got "
                f"{list(state.shape)}; evaluate the start at flow.places."
            )
        return state

    @door
    def energy(self, h: Points) -> Scalar:
        """(diffusion/2) int |h_s|^2 ds, by the differences between neighbors."""
        step = self._beside(h, -1) - h
        spacing = self.length.astype(h.dtype) / self.n
        return self.diffusion.astype(h.dtype) / (2 * spacing) * jnp.sum(step**2)

    def _field(self, h: Points) -> Points:
        spacing = self.length.astype(h.dtype) / self.n
        after, before = self._beside(h, -1), self._beside(h, 1)
        slope = (after - before) / (2 * spacing)
        bend = (after - 2 * h + before) / spacing**2
        moved = self.velocity.astype(h.dtype) * slope + self.diffusion.astype(h.dtype) * bend
        return self.geometry.to_tangent(h, moved)

    def _beside(self, h: Points, shift: int) -> Points:
        """The neighbors of all places: on a line those at the ends are their own."""
        around = jnp.roll(h, shift, axis=0)
        if self.periodic:
            return around
        end = -1 if shift == -1 else 0
        return around.at[end].set(h[end])
