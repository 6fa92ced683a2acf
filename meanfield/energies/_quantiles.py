"""Where quantiles live: a law of one dimension as N increasing positions X_i = Q((i + 1/2)/N)."""

import abc
import functools
import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from .._checks import LARGEST, check_finite, guard, shown
from .._door import AbstractChecked
from .._typing import Points, Scalar

Row = Float[Array, " n"]
LEBESGUE = -0.5 * math.log(2 * math.pi * math.e)
"""int rho log rho of the standard normal law on the line."""
LEAST = 5
"""Fewest quantiles: each has two neighbours, and two more that are not the same."""


def check_exponent(m) -> float:
    """`m` as a number that is at least 1."""
    if isinstance(m, bool) or not isinstance(m, int | float) or not 1 <= m <= LARGEST:
        raise ValueError(
            f"expected a number m >= 1, got {shown(m)}; pass 2.0 for a porous medium, "
            "or Entropy() for the limit m = 1."
        )
    return float(m)


class AbstractQuantiles(AbstractChecked):
    """A domain of one dimension for laws that are given by their mid-quantiles X_i = Q((i + 1/2)/N).

    A position X_i carries the mass `masses(N)[i]`, about 1/N. A functional of the density is a sum
    over the gaps between neighbours, see `stretch`; any other is that of the cloud `points(X)`.
    """

    entropy: eqx.AbstractVar[float]
    """int rho log rho of the reference law, which `stretch` compares with."""

    @abc.abstractmethod
    def points(self, x: Row) -> Points:
        """The positions as points [N, d], for potentials and interactions."""

    @abc.abstractmethod
    def masses(self, n: int) -> Float[np.ndarray, " n"]:
        """The masses of n mid-quantiles, of sum 1."""

    @abc.abstractmethod
    def gaps(self, x: Row) -> Float[Array, " gaps"]:
        """The distances from each position to the next one; all positive for a state."""

    @abc.abstractmethod
    def stretch(self, x: Row, m: float) -> tuple[Float[np.ndarray, " gaps"], Float[Array, " gaps"]]:
        """Weights c_i and stretches D_i: the gaps over those of the reference law of exponent m.

        The energy int rho^m/(m-1) is sum_i c_i D_i^{1-m}/(m-1), and int rho log rho is
        `entropy` - sum_i c_i log D_i.
        """

    @abc.abstractmethod
    def levels(self, n: int) -> Float[np.ndarray, " n"]:
        """The levels u_i of the n quantiles X_i = Q(u_i)."""

    def check(self, x, name: str = "x0") -> Row:
        """`x` as at least 5 increasing positions; ValueError, with the remedy, if it is not."""
        x = check_finite(x, name)
        if x.ndim != 1 or x.shape[0] < LEAST:
            raise ValueError(
                f"expected {name} of shape [N] with N >= {LEAST}, got {list(x.shape)}; pass the "
                "quantiles of a law at (arange(N) + 0.5)/N."
            )
        rising = (self.gaps(x) > 0).all()
        message = (
            f"expected increasing positions in {name}, got others; sort them, and part equal ones."
        )
        return guard(x, rising, message)


class Line(AbstractQuantiles):
    """The line, with densities relative to Lebesgue measure.

    D_i = (X_{i+1} - X_i)/(z_{i+1} - z_i),   c_i = -(z_{i+1} - z_i) sum_{j<=i} w_j z_j

    where z are the quantiles of the self-similar profile of exponent m, the law that is stationary
    under int rho^m/(m-1) and x^2/2: the normal law for m = 1, and for m > 1 Barenblatt's
    r = ((m-1)/(2m) (R^2 - z^2))_+^{1/(m-1)}. With these weights its images under x -> s x + a move
    without an error in N, whatever their tails. For other laws the error is of order 2 away from the
    tails (see `GradedLine` for these). Quotients of differences of u would err by O(1/N) everywhere.

    - `tail`: the exponent m whose tails the masses are made for, or None for equal masses. The
      outermost masses are (1 + a)/N, then (1 - a)/N, with a such that -int z du over half the law
      is exact.

    Raises ValueError for an exponent below 1.
    """

    tail: float | None = eqx.field(static=True, default=1.0)
    entropy: ClassVar[float] = LEBESGUE

    def __check_init__(self):
        if self.tail is not None:
            check_exponent(self.tail)

    def points(self, x: Row) -> Points:
        return x[:, None]

    def levels(self, n: int) -> Float[np.ndarray, " n"]:
        return _middles(n)

    def masses(self, n: int) -> Float[np.ndarray, " n"]:
        return _masses(n, self.tail)

    def gaps(self, x: Row) -> Float[Array, " gaps"]:
        return x[1:] - x[:-1]

    def stretch(self, x: Row, m: float) -> tuple[Float[np.ndarray, " gaps"], Float[Array, " gaps"]]:
        return _stretch(x, _profile(x.shape[0], m), self.masses(x.shape[0]))

    def support(self, x: Row, m: float) -> tuple[Scalar, Scalar]:
        """The ends of the support of mid-quantiles x, as fronts of exponent m > 1 continue them."""
        z, radius = _profile(x.shape[0], m), _radius(m)
        share = float((radius + z[0]) / (z[1] - z[0]))
        return x[0] - share * (x[1] - x[0]), x[-1] + share * (x[-1] - x[-2])


class GradedLine(AbstractQuantiles):
    """The line with quantiles at equal distances in the profile of exponent m (`tail`), and not at equal
    masses.

    z_i = -R + (2 i + 1) R/N, and masses those of the profile in (z_i - R/N, z_i + R/N). R is the end of
    the support, or 2 sqrt(log N) for the normal law, whose rest is put in the last masses. A law
    that is a smooth image of the profile moves with an error of order 2 in W2, tails and fronts
    included. Start from its quantiles at `levels(N)`.

    Raises ValueError for an exponent below 1.
    """

    tail: float = eqx.field(static=True, default=1.0, converter=check_exponent)
    entropy: ClassVar[float] = LEBESGUE

    def points(self, x: Row) -> Points:
        return x[:, None]

    def levels(self, n: int) -> Float[np.ndarray, " n"]:
        return _cumulative(self._ends(n)[:-1] + np.diff(self._ends(n)) / 2, self.tail)

    def masses(self, n: int) -> Float[np.ndarray, " n"]:
        inner = _cumulative(self._ends(n)[1:-1], self.tail)
        masses = np.diff(inner, prepend=0, append=1)
        return (masses + masses[::-1]) / 2

    def gaps(self, x: Row) -> Float[Array, " gaps"]:
        return x[1:] - x[:-1]

    def stretch(self, x: Row, m: float) -> tuple[Float[np.ndarray, " gaps"], Float[Array, " gaps"]]:
        n = x.shape[0]
        return _stretch(x, _quantile(self.levels(n), m), self.masses(n))

    def _ends(self, n: int) -> Float[np.ndarray, " ends"]:
        reach = 2 * math.sqrt(math.log(n)) if self.tail == 1 else _radius(self.tail)
        return np.linspace(-reach, reach, n + 1)


class Circle(AbstractQuantiles):
    """The circle, with densities relative to the uniform law; positions are angles.

    X_0 < X_1 < ... < X_{N-1} < X_0 + 2 pi, from any start: X + 2 pi is the same law, and W2 is
    exact as long as nothing moves by half a turn. Masses are 1/N, D_i = N (X_{i+1} - X_i)/(2 pi) and
    c_i = 1/N, for each exponent: of order 2 in N for smooth densities.
    """

    entropy: ClassVar[float] = 0.0

    def points(self, x: Row) -> Points:
        return jnp.stack([jnp.cos(x), jnp.sin(x)], axis=1)

    def levels(self, n: int) -> Float[np.ndarray, " n"]:
        return _middles(n)

    def masses(self, n: int) -> Float[np.ndarray, " n"]:
        return np.full(n, 1 / n)

    def gaps(self, x: Row) -> Float[Array, " gaps"]:
        return jnp.roll(x, -1).at[-1].add(2 * math.pi) - x

    def stretch(self, x: Row, m: float) -> tuple[Float[np.ndarray, " gaps"], Float[Array, " gaps"]]:
        n = x.shape[0]
        return np.full(n, 1 / n, x.dtype), self.gaps(x) * (n / (2 * math.pi))


def _middles(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


def _radius(m: float) -> float:
    """The end R of the profile of exponent m > 1, whose mass is 1."""
    a, k = m / (m - 1), (m - 1) / (2 * m)
    return math.exp(-(math.log(k) + (m - 1) * scipy.special.betaln(0.5, a)) / (m + 1))


def _quantile(levels: np.ndarray, m: float) -> np.ndarray:
    """The quantiles of the profile of exponent m at levels that are symmetric about 1/2."""
    half = levels[: (len(levels) + 1) // 2]
    if m == 1:
        z = scipy.special.ndtri(half)
    else:
        # (z/R + 1)/2 has the law Beta(a, a).
        a = m / (m - 1)
        z = _radius(m) * (2 * scipy.special.betaincinv(a, a, half) - 1)
    middle = len(levels) // 2
    return np.concatenate([z[:middle], np.zeros(len(levels) % 2), -z[:middle][::-1]])


def _cumulative(z: np.ndarray, m: float) -> np.ndarray:
    """The mass of the profile of exponent m below z."""
    a = m / (m - 1) if m > 1 else 0.0
    return (
        scipy.special.ndtr(z) if m == 1 else scipy.special.betainc(a, a, (z / _radius(m) + 1) / 2)
    )


def _pressure(z: float, m: float) -> float:
    """-int z du below z: r for the normal law, r^m beyond."""
    if m == 1:
        return math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return ((m - 1) / (2 * m) * (_radius(m) ** 2 - z**2)) ** (m / (m - 1))


@functools.lru_cache(maxsize=64)
def _profile(n: int, m: float) -> np.ndarray:
    """The mid-quantiles of the profile of exponent m."""
    return _quantile(_middles(n), m)


@functools.lru_cache(maxsize=64)
def _masses(n: int, tail: float | None) -> np.ndarray:
    """1/n, except for two at each end."""
    masses = np.full(n, 1 / n)
    if tail is not None:
        z, half = _profile(n, tail), n // 2
        middle = _quantile(np.array([half / n, 1 - half / n]), tail)[0]
        excess = (n * _pressure(middle, tail) + z[:half].sum()) / (z[1] - z[0]) / n
        masses[:2] += np.array([excess, -excess])
        masses[-2:] += np.array([-excess, excess])
    return masses


def _stretch(x: Row, z: np.ndarray, masses: np.ndarray):
    gaps = np.diff(z)
    weights = -gaps * np.cumsum(masses * z)[:-1]
    return weights.astype(x.dtype), (x[1:] - x[:-1]) / gaps.astype(x.dtype)
