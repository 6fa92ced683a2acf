import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..._checks import check_integer, check_nonnegative, is_concrete
from ..._typing import Scalar
from ._masks import AbstractMask, AbstractSquareMask


class Window(AbstractSquareMask):
    """Attention of token i to its neighbors |i - j| <= radius, `periodic` on a ring, or `backward` alone:
    0 <= i - j; see `window`."""

    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n"))
    radius: int = eqx.field(static=True, converter=lambda r: check_integer(r, "radius", 0))
    periodic: bool = eqx.field(static=True, default=False)
    backward: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        super().__check_init__()
        reach = self.radius if self.backward else 2 * self.radius
        if self.periodic and reach >= self.n:
            raise ValueError(
                f"expected a window smaller than the ring of {self.n} tokens, got radius {self.radius}; "
                f"use radius={(self.n - 1) // (1 if self.backward else 2)}."
            )

    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        back = rows[:, None] - columns[None, :]
        if self.periodic:
            back = _around(back, self.n, self.backward)
        seen = (back <= self.radius) & (back >= (0 if self.backward else -self.radius))
        return jnp.where(seen, 0.0, -jnp.inf)


class Decay(AbstractSquareMask):
    """The penalty -rate |i - j| on the logits, on both sides, `periodic` on a ring; see `decay`."""

    n: int = eqx.field(static=True, converter=lambda n: check_integer(n, "n"))
    rate: Scalar = eqx.field(converter=lambda r: check_nonnegative(r, "rate"))
    periodic: bool = eqx.field(static=True, default=False)

    def bias(self, rows: Int[Array, " a"], columns: Int[Array, " b"]) -> Float[Array, "a b"]:
        back = rows[:, None] - columns[None, :]
        if self.periodic:
            back = _around(back, self.n, False)
        return -self.rate * jnp.abs(back).astype(self.rate.dtype)


def window(n: int, radius: int, periodic: bool = False, backward: bool = False) -> Window:
    """The mask of local attention: token i attends to the tokens with |i - j| <= radius.

    - `periodic`: the n tokens form a ring, on which distances are the shorter way round.
    - `backward`: to 0 <= i - j <= radius alone, the sliding window of decoders; a causal window carries
      a signal from early tokens to late ones by radius/2 tokens a unit of time.

    On long wavelengths the flow is `dynamics.HarmonicMapFlow`. Raises ValueError for n < 1, a negative
    radius, or a window that overlaps itself on the ring.
    Source: Beltagy, Peters, Cohan, arXiv 2004.05150, section 3.
    """
    return Window(n, radius, periodic, backward)


def decay(n: int, rate: float | Scalar, periodic: bool = False) -> Decay:
    """Attention whose logits fall with the distance of positions: -rate |i - j|, on both sides.

    `alibi` is its causal form. `periodic`: the n tokens form a ring. Raises ValueError if n < 1 or the
    rate is negative.
    Source: Press, Smith, Lewis, arXiv 2108.12409, without the causal mask.
    """
    return Decay(n, rate, periodic)


def ring_bias(mask: AbstractMask, n: int, symmetric: bool = False) -> Float[Array, " n"]:
    """The mask between token 0 and token k of a ring, on which it must depend on j - i (mod n) alone.

    Raises ValueError if it is not [n, n] or, as far as it is known, depends on more; with `symmetric`,
    if places k and -k differ.
    """
    ring, example = jnp.arange(n), f"window({n}, radius, periodic=True)"
    if mask.shape != (n, n):
        raise ValueError(
            f"expected a mask of shape {[n, n]}, got {list(mask.shape)}; use {example}."
        )
    bias = mask.bias(ring, ring)
    if is_concrete(bias):
        known = np.asarray(bias)
        turned = np.array_equal(np.roll(known, (1, 1), (0, 1)), known)
        if not turned or (symmetric and not np.array_equal(known, known.T)):
            kind = "a symmetric mask" if symmetric else "a mask"
            raise ValueError(f"expected {kind} of places on a ring, got another; use {example}.")
    return bias[0]


def _around(back: Int[Array, "a b"], n: int, backward: bool) -> Int[Array, "a b"]:
    """Differences of places on a ring: from 0 to n - 1, or the shorter way, from -n/2 to n/2."""
    return back % n if backward else (back + n // 2) % n - n // 2
