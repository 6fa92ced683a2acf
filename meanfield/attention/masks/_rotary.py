import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..._checks import check_positive
from ..._door import AbstractChecked


class Rotary(AbstractChecked):
    """Positions turned into queries and keys: pair k of coordinates of token i is rotated.

        by the angle i base^{-2k/p},   k = 0, ..., p/2 - 1,   i = 0, ..., n - 1

    so that <R_i q, R_j k> depends on places by i - j alone. `Softmax(beta, rotary=Rotary())` rotates in
    every engine, after query and key and their biases, [n, p].

    - `base`: 1e4 in the source, larger for long texts.
    - `interleaved`: pairs are the coordinates (2k, 2k + 1), as in the source and in GGUF files of llama;
      False pairs (k, k + p/2), as in files of the transformers library.

    Raises ValueError for base <= 0 and, when it is applied, an odd number of coordinates.
    Source: Su et al., arXiv 2104.09864, equation (15).
    """

    base: float = eqx.field(static=True, default=1e4, converter=lambda b: _check_base(b))
    interleaved: bool = eqx.field(static=True, default=True)

    def __call__(self, points: Float[Array, "n p"]) -> Float[Array, "n p"]:
        n, p = points.shape
        if p % 2:
            raise ValueError(
                f"expected an even number of coordinates to rotate, got {p}; pass query and key with "
                "an even number of rows."
            )
        # In double precision on the host: an angle of a thousand turns keeps its digits.
        angles = np.arange(n)[:, None] * self.base ** (-np.arange(0, p, 2) / p)
        cos, sin = (jnp.asarray(f(angles), points.dtype) for f in (np.cos, np.sin))
        pairs = points.reshape((n, -1, 2) if self.interleaved else (n, 2, -1))
        axis = 2 if self.interleaved else 1
        a, b = (jnp.take(pairs, part, axis) for part in (0, 1))
        return jnp.stack([a * cos - b * sin, a * sin + b * cos], axis).reshape(n, p)


def _check_base(base) -> float:
    return float(check_positive(base, "base", "pass base=10000.0"))
