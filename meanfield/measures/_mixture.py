from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._checks import check_draws, check_instance, check_integer, check_key, check_weights, shown
from .._typing import Key, Points, Scalar, Vectors
from ..geometry import AbstractGeometry
from ._base import AbstractMeasure


class Mixture(AbstractMeasure):
    """The law sum_k w_k rho_k of laws that live on one geometry.

    weights [K] sum to 1. Sampling draws n points from each law and keeps one a particle, so it
    costs K n draws.

    Raises ValueError if there is no law, if the laws live on different geometries, or if weights
    are negative, do not sum to 1 or are not one a law.
    """

    laws: tuple[AbstractMeasure, ...]
    weights: Float[Array, " k"]

    def __init__(self, laws: Sequence[AbstractMeasure], weights: Float[Array, "..."]):
        self.laws = _check_laws(laws)
        self.weights = check_weights(weights, len(self.laws), "weights")

    @property
    def geometry(self) -> AbstractGeometry:
        return self.laws[0].geometry

    def sample(self, key: Key, n: int) -> Points:
        key, n = check_draws(key, n)
        which, *keys = jax.random.split(key, 1 + len(self.laws))
        clouds = jnp.stack([law.sample(k, n) for law, k in zip(self.laws, keys, strict=True)])
        label = jax.random.choice(which, len(self.laws), (n,), p=self.weights)
        return clouds[label, jnp.arange(n)]

    def log_density(self, x: Vectors) -> Float[Array, "*batch"]:
        x = self.points(x)
        logs = jnp.stack([law.log_density(x) for law in self.laws], axis=-1)
        return jax.nn.logsumexp(logs, axis=-1, b=self.weights)

    def entropy(self, samples: int = 4096, key: Key | None = None) -> Scalar:
        """-int rho log rho, by Monte Carlo: a mixture has no closed form.

            H(rho) = sum_k w_k H(rho_k) + sum_k w_k E_{rho_k}[log rho_k - log rho].

        The first sum is what the laws themselves return. The second, the information between a
        point and its label, lies between 0 and the entropy of w, and is averaged over `samples`
        points a law. The same `key` (one fixed key by default) gives the same value.

        The terms of law k are at most log(1/w_k) and fall below -a with probability at most e^-a, so
        the standard error is below (1 + max_k log(1/w_k)) / sqrt(samples): .03 for two equal laws
        at 4096 samples, and far less if they are well apart.
        """
        samples = check_integer(samples, "samples")
        known = jax.random.key(0) if key is None else check_key(key)
        keys = jax.random.split(known, len(self.laws))
        parts = [self._share(law, k, samples) for law, k in zip(self.laws, keys, strict=True)]
        return jnp.sum(self.weights * jnp.stack(parts))

    def _share(self, law: AbstractMeasure, key: Key, samples: int) -> Scalar:
        x = law.sample(key, samples).astype(self.weights.dtype)
        return law.entropy().astype(x.dtype) + jnp.mean(law.log_density(x) - self.log_density(x))


def _check_laws(laws: Sequence[AbstractMeasure]) -> tuple[AbstractMeasure, ...]:
    if not isinstance(laws, list | tuple):
        raise ValueError(f"expected a list of laws, got {shown(laws)}; pass laws=[...].")
    if not laws:
        raise ValueError("expected at least one law, got none; pass laws=[...].")
    for law in laws:
        check_instance(law, AbstractMeasure, "laws of meanfield.measures", "pass [Uniform(3), ...]")
    if any(law.geometry != laws[0].geometry for law in laws):
        raise ValueError(
            f"expected laws on one geometry, got {[law.geometry for law in laws]}; "
            "mix laws of the same kind and dimension."
        )
    return tuple(laws)
