"""Noise that is tangent to the geometry and isotropic in it, for solvers of either calculus."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ..._checks import guard
from ..._typing import Key, Scalar
from ...dynamics import AbstractDynamics, AbstractParticles, AbstractSharedNoise
from ...geometry import AbstractGeometry, Euclidean
from ._geodesic import GeodesicEuler, GeodesicLM

GEODESIC = (GeodesicEuler, GeodesicLM)
# They form the derivative of the noise by the state, a matrix of n^2 d^2 numbers or more.
MILSTEIN = (diffrax.ItoMilstein, diffrax.StratonovichMilstein)
# They take the noise for one that does not depend on the state, or for a linear operator.
FLAT = (diffrax.SEA, diffrax.SRA1, diffrax.ShARK, diffrax.ReversibleHeun)


class TangentNoise(diffrax.AbstractTerm):
    """sqrt(2 nu) P_x dB: continued off the manifold as drifts are, so that every method that steps and
    returns to it takes the same directions."""

    geometry: AbstractGeometry
    amplitude: Scalar
    path: diffrax.AbstractBrownianPath

    def vf(self, t, y, args):
        return self.amplitude if isinstance(self.geometry, Euclidean) else (self.amplitude, y)

    def contr(self, t0, t1, **kwargs):
        return _at_its_time(self.path, t0, t1).evaluate(t0, t1, **kwargs)

    def prod(self, vf, control: PyTree[Float[Array, "..."]]):
        if isinstance(self.geometry, Euclidean):
            return vf * control
        amplitude, y = vf
        d = y.shape[-1]
        ambient = (amplitude * control).reshape(-1, d)
        return self.geometry.extend(lambda _: ambient, y.reshape(-1, d)).reshape(y.shape)


class SharedNoise(diffrax.AbstractTerm):
    """P_x dW m: one matrix of noise for all tokens, tangent as `TangentNoise` is."""

    dynamics: AbstractSharedNoise
    path: diffrax.AbstractBrownianPath

    def vf(self, t, y, args):
        moments = self.dynamics.moments(jnp.asarray(t, y.dtype), y, args)
        return y, self.dynamics.scale.astype(y.dtype) * moments

    def contr(self, t0, t1, **kwargs):
        return _at_its_time(self.path, t0, t1).evaluate(t0, t1, **kwargs)

    def prod(self, vf, control: PyTree[Float[Array, "..."]]):
        y, moments = vf
        return self.dynamics.geometry.extend(lambda _: moments @ control.T, y)


def strength(dynamics: AbstractDynamics) -> Scalar | None:
    """The strength of the noise that tokens feel, of a shared one by a vector of length one; None for an
    ordinary differential equation."""
    if isinstance(dynamics, AbstractSharedNoise):
        return dynamics.scale**2 / 2
    return dynamics.noise if isinstance(dynamics, AbstractParticles) else None


def noisy_terms(
    dynamics: AbstractParticles | AbstractSharedNoise,
    drift: Callable,
    solver,
    x0,
    path: diffrax.AbstractBrownianPath,
) -> diffrax.MultiTerm:
    """Drift and noise in the calculus of the solver.

    Stratonovich: dX = drift dt + sqrt(2 nu) P_X o dB. Ito: the drift has nu H(X) added, where H is the
    mean curvature, -(d-1) X on the sphere. Geodesic steps stay on the manifold and need neither.
    """
    if isinstance(dynamics, AbstractSharedNoise):
        return diffrax.MultiTerm(diffrax.ODETerm(drift), SharedNoise(dynamics, path))
    nu, geometry = dynamics.noise, dynamics.geometry
    assert nu is not None
    nu = nu.astype(x0.dtype)
    ito = isinstance(solver, diffrax.AbstractItoSolver) and not isinstance(solver, GEODESIC)

    def corrected(t, x, args):
        return drift(t, x, args) + nu * geometry.mean_curvature(x)

    term = diffrax.ODETerm(corrected if ito else drift)
    return diffrax.MultiTerm(term, TangentNoise(geometry, jnp.sqrt(2 * nu), path))


def brownian(dynamics, solver, adjoint, x0, t0, t1, shortest: Scalar, key: Key):
    """The Brownian motion that a solver needs: fast, unless its path must be walked back."""
    shared = isinstance(dynamics, AbstractSharedNoise)
    shape = jax.ShapeDtypeStruct((x0.shape[-1],) * 2 if shared else x0.shape, x0.dtype)
    area = diffrax.BrownianIncrement
    if isinstance(solver, diffrax.AbstractSRK):
        area = diffrax.SpaceTimeLevyArea
    if isinstance(adjoint, diffrax.RecursiveCheckpointAdjoint):
        return diffrax.VirtualBrownianTree(t0, t1, shortest / 2, shape, key, area)
    return diffrax.UnsafeBrownianPath(shape, key, area)


def _at_its_time(path: diffrax.AbstractBrownianPath, t0: Any, t1: Any):
    """The path, with noise of its own for each step: diffrax tells steps apart by their times in single
    precision, which millions of steps on are those of the steps before."""
    t0, t1 = jnp.asarray(t0), jnp.asarray(t1)
    if not isinstance(path, diffrax.UnsafeBrownianPath) or t0.dtype != jnp.float64:
        return path
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(t0), jnp.uint32)
    key = jax.random.fold_in(jax.random.fold_in(path.key, bits[0]), bits[1])
    far = jnp.abs(t0) > 2.0**22 * (t1 - t0)
    return eqx.tree_at(lambda p: p.key, path, jnp.where(far, key, path.key))


def check_solver(
    solver, dynamics: AbstractParticles | AbstractSharedNoise, noise: Scalar, dt: Scalar
) -> None:
    """A solver that is right for this noise, or a ValueError that names some."""
    geometry = dynamics.geometry
    if isinstance(dynamics, AbstractSharedNoise) and (
        not isinstance(solver, GeodesicEuler) or solver.angle is not None
    ):
        raise ValueError(
            f"expected a solver for noise that all tokens share, got {type(solver).__name__}; leave "
            "solver out for mf.solve.GeodesicEuler(geometry)."
        )
    flat = isinstance(geometry, Euclidean)
    known = isinstance(solver, diffrax.AbstractItoSolver | diffrax.AbstractStratonovichSolver)
    if not known or isinstance(solver, MILSTEIN) or (not flat and isinstance(solver, FLAT)):
        raise ValueError(
            f"expected a solver for noise on {geometry}, got {type(solver).__name__}; pass "
            "mf.solve.GeodesicLM(geometry) or GeodesicEuler(geometry), or diffrax.Euler(), Heun(), "
            "EulerHeun(), Midpoint(), SPaRK() or SlowRK()."
        )
    if isinstance(solver, GEODESIC) and solver.geometry != geometry:
        raise ValueError(
            f"expected a solver on {geometry}, got one on {solver.geometry}; "
            "make it with the geometry of the flow."
        )
    if isinstance(solver, GeodesicEuler) and solver.angle is not None:
        share = noise.astype(dt.dtype) * dt / solver.angle.s
        message = (
            "expected brownian_angle(d, noise * dt) of this noise and dt; make it anew for them."
        )
        guard(share, jnp.abs(share - 1) < 1e-5, message)
