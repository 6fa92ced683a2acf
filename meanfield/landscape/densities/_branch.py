import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..._checks import check_integer, check_nonnegative
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...attention.kernels import AbstractDensityAttention
from ...harmonics import Gegenbauer
from .._precision import in_double
from ._curve import Curve, Point
from ._free_energy import excess_free_energy, least_density, sums_over_pairs
from ._growth import strengths

_SHORTEST, _FIRST, _LONGEST = 1e-4, 0.05, 0.1
"""Steps of arclength, in the units of `Curve`."""
_RESOLVED = 1e-8
"""The relative error of the flux above which a density is not resolved. Densities that change sign,
which solve the truncated equation of softmax beside the true ones, leave more."""


class Branch(AbstractShown):
    """A branch of zonal stationary states, in the order in which it leaves the uniform one.

    - `noise` [m], of which the first is `critical`, and `coeffs` [m, K+1] in `basis`;
    - `strength` [K]: s_1 .. s_K, the growth rates of the uniform law without noise, over lambda_k;
    - `order` [m]: the mean resultant |int x rho|;
    - `unstable` [m]: the number of growing zonal perturbations of constant mass; other perturbations
      may grow besides;
    - `free_energy` [m]: noise int rho log rho - 1/2 iint W rho rho, less that of the uniform law, for
      an attention whose field is linear in the density; NaN for others, which have none;
    - `minimum` [m]: the least density at the nodes;
    - `complete`: whether the branch ends as it was told to, and not because the degree is too small.
    """

    attention: AbstractDensityAttention
    basis: Gegenbauer
    strength: Float[Array, " modes"]
    noise: Float[Array, " m"]
    coeffs: Float[Array, "m k"]
    order: Float[Array, " m"]
    unstable: Int[Array, " m"]
    free_energy: Float[Array, " m"]
    minimum: Float[Array, " m"]
    complete: Bool[Array, ""]

    @property
    def critical(self) -> Scalar:
        """The noise at which the uniform law loses stability."""
        return self.strength.max()

    @property
    def first_order(self) -> Bool[Array, ""]:
        """Whether clustered states exist above the critical noise, so that the branch folds."""
        # Newton's method leaves 1e-10; a continuous branch starts with noise = critical exactly.
        return self.noise.max() > self.critical * (1 + 1e-8)


@in_double
def branch(
    attention: AbstractDensityAttention,
    d: int,
    *,
    degree: int = 64,
    until: float = 0.5,
    points: int = 400,
) -> Branch:
    """The clustered stationary states of noisy attention: its bifurcation diagram.

    drift(c, noise) = 0 is followed from the uniform law at `critical_noise` by pseudo-arclength
    continuation in (c, noise), through folds, along zonal densities. The branch ends where the noise
    falls below `until` * critical, after `points` points, or, not `complete`, where this `degree`
    no longer resolves the density to 1e-8; it needs to be about 6 over the width of the density.

    For beta <= `tricritical_beta(d)` the noise decreases along it; for larger beta it first increases
    and folds back, and the states before the fold are unstable. Runs on the host, with one compiled
    step; 30 to 60 points are usual.

    Computed in float64 on every machine, and rounded to the precision of the attention.

    Raises ValueError if the uniform law is stable at any noise.
    Source: H. B. Keller (1977), Numerical solution of bifurcation and nonlinear eigenvalue problems,
    for the continuation.
    """
    until, points = float(check_nonnegative(until, "until")), check_integer(points, "points", 2)
    strength = strengths(attention, d, degree)
    mode = int(jnp.argmax(strength))
    if not strength[mode] > 0:
        raise ValueError(
            "expected an attention that attracts, got one whose uniform law is always stable; "
            "use a positive value."
        )
    basis = Gegenbauer(d, degree)
    curve = Curve(attention, basis, strength)
    path, complete = _follow(curve, mode, until, points)
    # One point at a time, so that branches of any length share one compilation.
    looks = [_look(curve, point) for point in path]
    noise, coeffs, free_energy, minimum, jacobians = map(jnp.stack, zip(*looks, strict=True))
    return Branch(
        attention=attention,
        basis=basis,
        strength=strength,
        noise=noise,
        coeffs=coeffs,
        order=jnp.stack(path)[:, 0],
        unstable=_unstable(jacobians),
        free_energy=free_energy,
        minimum=minimum,
        complete=jnp.asarray(complete),
    )


def _follow(curve: Curve, mode: int, until: float, points: int) -> tuple[list[Point], bool]:
    """Predict along the last chord, correct in the plane across it, and adapt the step."""
    path = [jnp.zeros(curve.basis.size).at[-1].set(1.0)]
    tangent = jnp.zeros(curve.basis.size).at[mode].set(1.0)
    step = _FIRST
    while len(path) < points and path[-1][-1] > until and step > _SHORTEST:
        point, chord, accepted = _advance(curve, path[-1], tangent, jnp.asarray(step))
        if accepted:
            path, tangent, step = [*path, point], chord, min(1.3 * step, _LONGEST)
        else:
            step /= 2
    return path, step > _SHORTEST


@eqx.filter_jit
def _advance(
    curve: Curve, point: Point, tangent: Point, step: Scalar
) -> tuple[Point, Point, Bool[Array, ""]]:
    """The next point, the direction toward it, and whether to take it."""
    guess = point + step * tangent
    after, found = curve.meet(lambda other: tangent @ (other - guess), guess)
    chord = (after - point) / jnp.linalg.norm(after - point)
    # A correction of more than a tenth of the step may have landed on another branch.
    near = chord @ tangent > 0.995
    return after, chord, found & near & (curve.defect(after) < _RESOLVED)


@eqx.filter_jit
def _look(curve: Curve, point: Point) -> tuple[Array, Array, Array, Array, Array]:
    """Noise, coefficients, free energy, least density and linearization at a point."""
    coeffs, noise = curve.coeffs(point), curve.noise(point)
    pairs = sums_over_pairs(curve.attention, curve.basis)
    free = excess_free_energy(curve.basis, curve.strength, coeffs, noise)
    minimum = least_density(curve.attention, curve.basis, coeffs, noise)
    return noise, coeffs, jnp.where(pairs, free, jnp.nan), minimum, curve.linearization(point)


def _unstable(jacobians: Float[Array, "m k k"]) -> Int[Array, " m"]:
    """The number of eigenvalues with a positive real part, beyond rounding.

    On the host: not every accelerator has the eigenvalues of a nonsymmetric matrix.
    """
    values = np.linalg.eigvals(np.asarray(jacobians))
    # Continuation is exact to 1e-10, so that a zero eigenvalue, as at the start, is as small.
    zero = 1e-9 * np.abs(values).max(axis=1, keepdims=True)
    return jnp.asarray((values.real > zero).sum(axis=1))
