from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from scipy.optimize import root

from ...harmonics import Gegenbauer
from ...solve import SolveError

Moments = np.ndarray
"""m_1 .. m_K, the means of P_k(t), P_k(1) = 1; m_1 is the order parameter r."""


class Tilted:
    """The zonal densities rho = e^{(W * rho + mu t)/noise}/Z on S^{d-1}, by Gauss quadrature.

    Of all densities with mean cosine r they have the least free energy (up to their stability), and mu is
    its slope in r; mu = 0 where nothing holds them. `strength` [K] are the multipliers of W.
    The unknowns are the moments of W * rho alone, which is why few degrees do.
    """

    def __init__(self, d: int, strength: np.ndarray):
        basis = Gegenbauer(d, len(strength))
        scale = np.asarray(basis.moments(jnp.ones(1)))
        self.polynomials = (np.asarray(basis.synthesize(jnp.eye(basis.size))).T / scale)[:, 1:]
        self.weights = np.asarray(basis.weights)
        self.cosines = np.asarray(basis.nodes)
        self.pull = strength * scale[1:] ** 2

    def density(self, moments: Moments, mu: float, noise: float) -> np.ndarray:
        """The density that this one would have if it had these moments."""
        logs = (self.polynomials @ (self.pull * moments) + mu * self.cosines) / noise
        density = np.exp(logs - logs.max())
        return density / (self.weights @ density)

    def free_energy(self, moments: Moments, mu: float, noise: float) -> float:
        """noise int rho log rho - 1/2 iint W rho rho, over the noise, less its value at uniform."""
        rho = self.density(moments, mu, noise)
        entropy = self.weights @ (rho * np.log(np.maximum(rho, np.finfo(float).tiny)))
        return float(entropy - self.pull @ moments**2 / (2 * noise))

    def mobility(self, moments: Moments, mu: float, noise: float) -> float:
        """<1 - t^2>: what a unit of noise a token adds to the variance of r, a token."""
        rho = self.density(moments, mu, noise)
        return float(self.weights @ (rho * (1 - self.cosines) * (1 + self.cosines)))

    def held(self, r: float, noise: float, guess: np.ndarray) -> np.ndarray:
        """(m_1 .. m_K, mu) of the density whose mean cosine is held at r."""
        unpack = lambda z: (np.append(r, z[:-1]), z[-1], noise)
        columns = lambda c, pulled, logs: np.column_stack([pulled[:, 1:], c[:, 0] / noise])
        z = self._solve(unpack, columns, np.append(guess[1:-1], guess[-1]), slice(1, None))
        return np.concatenate([[r], z])

    def free(self, noise: float, guess: Moments) -> Moments:
        """The moments of the stationary density near a guess."""
        unpack = lambda z: (z, 0.0, noise)
        return self._solve(unpack, lambda c, pulled, logs: pulled, guess, slice(0, None))

    def noise_of(self, r: float, guess: np.ndarray) -> np.ndarray:
        """(m_1 .. m_K, noise) of the stationary density whose mean cosine is r > 0."""
        unpack = lambda z: (np.append(r, z[:-1]), 0.0, z[-1])
        columns = lambda c, pulled, logs: np.column_stack([pulled[:, 1:], -logs])
        z = self._solve(unpack, columns, guess[1:], slice(1, None))
        return np.concatenate([[r], z])

    def _solve(
        self, unpack: Callable, columns: Callable, guess: np.ndarray, moving: slice
    ) -> np.ndarray:
        """The root of <P_k> - m_k: Powell's method, with the exact Jacobian."""

        def system(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            moments, mu, noise = unpack(z)
            mass = self.weights * self.density(moments, mu, noise)
            means = mass @ self.polynomials
            covariance = (self.polynomials.T * mass) @ self.polynomials - np.outer(means, means)
            # d<P_j>/dm_k = pull_k cov(P_j, P_k)/noise; by the noise, the logarithm is divided
            pulled = covariance * self.pull / noise
            logs = (covariance @ (self.pull * moments) + mu * covariance[:, 0]) / noise**2
            slopes = columns(covariance, pulled, logs)
            identity = np.eye(len(means))[:, moving]
            slopes[:, : identity.shape[1]] -= identity
            return means - moments, slopes

        found = root(system, guess, jac=True, tol=1e-13)
        if not np.abs(found.fun).max() < 1e-10:
            raise SolveError(
                "no stationary density was found at an order parameter of this profile: "
                "raise the degree."
            )
        return found.x
