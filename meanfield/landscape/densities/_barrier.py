import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import fminbound

from ..._checks import check_integer, check_known, check_positive
from ..._door import door
from ..._shown import AbstractShown
from ..._typing import Scalar
from ...attention.kernels import AbstractDensityAttention
from ...harmonics import Gegenbauer
from ...solve import SolveError
from .._precision import in_double
from ._free_energy import sums_over_pairs
from ._growth import strengths
from ._tilted import Tilted

_STEP = 0.01
"""Of the order parameter; between these points profiles are interpolated with their exact slopes."""
_RESOLVED = 1e-10
"""The share of the last degree in the pull at the cluster above which a density is not resolved."""


class Profile(AbstractShown):
    """The least free energy at given order, F*(r) = min {F(rho): |int x rho| = r}.

    `order` [m]: r, from 0 up; `free_energy` [m]: (F* - F*(0))/noise; `slope` [m]: its derivative in
    r, exact; `mobility` [m]: <1 - t^2> of the density, t the cosine to its axis.
    """

    order: Float[Array, " m"]
    free_energy: Float[Array, " m"]
    slope: Float[Array, " m"]
    mobility: Float[Array, " m"]


class Barrier(AbstractShown):
    """The barrier between the uniform law and a cluster, both of which are stable at this noise.

    `saddle` and `cluster`: the order parameters r of the saddle and of the clustered state; `height`
    and `back`: the free energy of the saddle over that of the uniform law, and over that of the
    cluster, in units of the noise; n tokens cross it at a rate e^{-n height}. `spinodals` [2]: the noise at
    which the uniform law loses stability, and the larger one at which the cluster ceases to exist.
    `profile`: F*(r) between and beyond. `d`: the ambient dimension.
    """

    attention: AbstractDensityAttention
    noise: Scalar
    saddle: Scalar
    cluster: Scalar
    height: Scalar
    back: Scalar
    spinodals: Float[Array, "2"]
    profile: Profile
    d: int = eqx.field(static=True)


@door
@in_double
def barrier(
    attention: AbstractDensityAttention, d: int, noise: Scalar | float, *, degree: int = 40
) -> Barrier:
    """The free-energy barrier between the uniform law and a cluster on S^{d-1}, at an order parameter.

        F(rho) = noise int rho log rho - 1/2 iint W rho rho,    F*(r) = min {F(rho): |int x rho| = r}

    whose minimizers are rho = e^{(W * rho + mu t)/noise}/Z, with mu = dF*/dr: fixed points, solved for by
    Gauss quadrature with W of this `degree`, from r = 0 up. Between the `spinodals` F* rises to a saddle
    and comes down to the cluster. On the circle at beta = 5 they are 4.867 and 5.4258; at noise = 5.3197,
    where both states are as good, the saddle is at r = .4440165 and the height .00796258.

    For the transition to be a jump, beta must exceed `tricritical_beta(d)`. Runs on the host, in float64.

    Raises ValueError for a noise that is not between the spinodals, for an attention without free
    energy (softmax), or one whose transition is continuous, and under jit; SolveError where the degree
    does not resolve the cluster.
    Source: Freidlin and Wentzell, Random Perturbations of Dynamical Systems (1984), for what it is for;
    arXiv 2604.16288 for the states.
    """
    noise = check_positive(noise, "noise", "pass one between the spinodals")
    check_known((attention, noise), "an attention", "call barrier outside of jax.jit")
    level, tilted = float(noise), _tilted(attention, d, check_integer(degree, "degree", 2))
    spinodals = _spinodals(tilted)
    if not spinodals[0] < level < spinodals[1]:
        raise ValueError(
            f"expected a noise between the spinodals {spinodals[0]:.6g} and {spinodals[1]:.6g}, got "
            f"{level:.6g}; pass one between them, where two states are stable."
        )
    path = _path(tilted, level)
    saddle, cluster = _stationary(tilted, path, level)
    at = lambda moments: tilted.free_energy(moments, 0.0, level)
    return Barrier(
        attention=attention,
        d=d,
        noise=noise,
        saddle=jnp.asarray(saddle[0]),
        cluster=jnp.asarray(cluster[0]),
        height=jnp.asarray(at(saddle)),
        back=jnp.asarray(at(saddle) - at(cluster)),
        spinodals=jnp.asarray(spinodals),
        profile=_profile(tilted, path, level),
    )


def _tilted(attention: AbstractDensityAttention, d: int, degree: int) -> Tilted:
    """The densities of this attention, if its field is a sum over pairs that attracts first of all."""
    strength = np.asarray(strengths(attention, d, degree))
    if not bool(sums_over_pairs(attention, Gegenbauer(d, degree))):
        raise ValueError(
            "expected an attention with a free energy, whose field is linear in the density; "
            "pass Unnormalized(beta)."
        )
    if strength.argmax() != 0 or not strength[0] > 0:
        raise ValueError(
            "expected an attention under which the mean resultant grows first; pass beta > 0."
        )
    # Of degrees that the kernel does not have, rounding would be multiplied by N(d, k).
    return Tilted(d, np.where(strength > 16 * np.finfo(float).eps * strength[0], strength, 0))


def _spinodals(tilted: Tilted) -> tuple[float, float]:
    """Where the uniform law loses stability, and the largest noise of a clustered state."""
    lower = float(tilted.pull[0] * tilted.polynomials[:, 0] ** 2 @ tilted.weights)
    guess, noises = np.append(np.zeros_like(tilted.pull), lower), [lower]
    points = [guess]
    for r in np.arange(1, round(1 / _STEP)) * _STEP:
        points.append(tilted.noise_of(r, points[-1]))
        noises.append(points[-1][-1])
        if noises[-1] < noises[-2]:
            break
    k = len(points) - 1
    if k < 2:
        raise ValueError(
            "expected an attention whose transition is a jump, got one that clusters continuously; "
            "pass a beta above tricritical_beta(d)."
        )
    bounds = (max(k - 2, 1) * _STEP, k * _STEP)
    at = lambda r: tilted.noise_of(r, points[k - 1])[-1]
    fold = fminbound(lambda r: -at(r), *bounds, xtol=1e-9)
    return lower, float(at(float(np.asarray(fold))))


def _path(tilted: Tilted, noise: float) -> list[np.ndarray]:
    """(m_1 .. m_K, mu) from r = 0 to half of the way from the cluster to 1."""
    path, end = [np.zeros(len(tilted.pull) + 1)], 1 - _STEP / 2
    for r in np.arange(1, round(1 / _STEP)) * _STEP:
        if r > end:
            return path
        path.append(tilted.held(r, noise, path[-1]))
        if end == 1 - _STEP / 2 and path[-2][-1] < 0 <= path[-1][-1]:
            end = (1 + r) / 2
            pulls = tilted.pull * path[-1][:-1]
            if abs(pulls[-1]) > _RESOLVED * pulls[0]:
                raise SolveError(f"degree {len(pulls)} does not resolve the cluster: raise degree.")
    return path


def _stationary(tilted: Tilted, path: list[np.ndarray], noise: float) -> list[np.ndarray]:
    """The moments of the saddle, where mu falls through 0, and of the cluster, where it rises."""
    slopes = np.array([point[-1] for point in path])
    found = []
    for before, after in ((slopes[1:-1] > 0, slopes[2:] <= 0), (slopes[1:-1] < 0, slopes[2:] >= 0)):
        crossings = 1 + np.flatnonzero(before & after)
        if not crossings.size:
            raise SolveError(
                "the saddle or the cluster lies closer to a spinodal, or to r = 1, than the profile "
                "is computed: pass a noise further inside."
            )
        k = crossings[0]
        part = slopes[k] / (slopes[k] - slopes[k + 1])
        guess = (1 - part) * path[k][:-1] + part * path[k + 1][:-1]
        found.append(tilted.free(noise, guess))
    return found


def _profile(tilted: Tilted, path: list[np.ndarray], noise: float) -> Profile:
    free, mobility = (
        jnp.asarray([of(point[:-1], point[-1], noise) for point in path])
        for of in (tilted.free_energy, tilted.mobility)
    )
    points = jnp.asarray(np.stack(path))
    return Profile(points[:, 0], free, points[:, -1] / noise, mobility)
