"""Solvers that step along geodesics, for tokens with noise."""

from collections.abc import Callable
from typing import ClassVar

import diffrax
import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..._door import AbstractChecked
from ...geometry import AbstractGeometry, Sphere
from ...measures import BrownianAngle

Points = Float[Array, "... d"]


class GeodesicEuler(diffrax.AbstractItoSolver, AbstractChecked):
    """Euler steps along geodesics, for tokens with noise: the default of noisy runs.

    x_{k+1} = exp_{x_k}(P (drift h + sqrt(2 nu h) xi)), with xi standard normal

    Weak order 1, with no correction term and no bias towards the outside. With a drift the
    error is of first order in stationary laws too, and of rates of escape it is a factor: take
    `GeodesicLM` for these.
    A step is too short or long by shares of (nu h)^2; `angle=brownian_angle(d, nu * h)` of `measures`
    instead makes the noise exact in law at any step, however large:

    `simulate(flow, x0, ts, key=key, dt=0.5,
    solver=GeodesicEuler(Sphere(3), brownian_angle(3, noise * 0.5)))`

    Choose dt so that it divides the times between saves: noise of a shorter step is exact only to the
    order above.

    Raises ValueError if the angle is that of another sphere.
    Source: E. P. Hsu, Stochastic Analysis on Manifolds (2002), chapter 3.
    """

    geometry: AbstractGeometry
    angle: BrownianAngle | None = None

    term_structure: ClassVar = diffrax.MultiTerm[tuple[diffrax.AbstractTerm, diffrax.AbstractTerm]]
    interpolation_cls: ClassVar[Callable] = diffrax.LocalLinearInterpolation

    def __check_init__(self):
        super().__check_init__()
        if self.angle is not None and self.geometry != Sphere(self.angle.d):
            raise ValueError(
                f"expected Sphere({self.angle.d}) for this angle, got {self.geometry}; "
                "pass brownian_angle(d, noise * dt) of the same d."
            )

    def order(self, terms):
        return 1

    def strong_order(self, terms):
        return 0.5

    def init(self, terms, t0, t1, y0, args):
        return None

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        x, move, kick = _moves(self.geometry, terms, t0, t1, y0, args)
        y1 = self._move(x, move, kick)
        return y1, None, {"y0": y0, "y1": y1}, None, diffrax.RESULTS.successful

    def _move(self, x, move, kick):
        if self.angle is None:
            return self.geometry.exp(x, move + kick)
        moved = self.geometry.exp(x, move)
        normal = self.geometry.transport(x, move, kick) / (2 * self.angle.s) ** 0.5
        square = jnp.sum(normal**2, axis=-1, keepdims=True)
        length = jnp.sqrt(jnp.where(square > 0, square, 1))
        return self.geometry.exp(moved, self.angle.ratio(length) * normal)

    def func(self, terms, t0, y0, args):
        return terms.vf(t0, y0, args)


class _Carried(eqx.Module):
    """What is left of the noise of the step before, over the root of its length; whether there was one."""

    kick: Points
    begun: Bool[Array, ""]


class GeodesicLM(diffrax.AbstractItoSolver, AbstractChecked):
    """Leimkuhler-Matthews steps along geodesics: the choice for stationary laws and rates.

        x_{k+1} = exp_{x_k}(h drift + sqrt(2 nu h) (xi_k + xi_{k+1})/2)

    with xi standard normal in the tangent space, xi_k transported in parallel along the step before.
    One drift a step, as `GeodesicEuler`, but of second order in the law in which a run settles, in flat
    space and on the circle. Where the space is curved a first order is left, of a small constant: on S^2
    with drift 3 P e and nu = 1, the mean of <x, e> = coth 3 - 1/3 is off by -.0024 at h = .1. Rates of
    escape, which Euler's steps miss by a factor, are right.
    Before it settles it is of first order, as Euler's method is. The first step has the noise xi_1, and
    the second (sqrt 7/2 - 1) xi_1 + xi_2/2: so that the variance is right from the start on.

    `simulate(flow, x0, ts, key=key, dt=0.05, solver=GeodesicLM(Sphere(3)))`

    Keep saves and jumps on multiples of dt: a step of another length makes the error one of first order.
    Source: Leimkuhler, Matthews (2013), doi:10.1093/amrx/abs010; Leimkuhler, Matthews, Tretyakov
    (2014), doi:10.1098/rspa.2014.0120.
    """

    geometry: AbstractGeometry

    term_structure: ClassVar = diffrax.MultiTerm[tuple[diffrax.AbstractTerm, diffrax.AbstractTerm]]
    interpolation_cls: ClassVar[Callable] = diffrax.LocalLinearInterpolation

    def order(self, terms):
        return 1

    def strong_order(self, terms):
        return 0.5

    def init(self, terms, t0, t1, y0, args):
        return _Carried(jnp.zeros_like(y0), jnp.array(False))

    def step(self, terms, t0, t1, y0, args, solver_state, made_jump):
        x, move, kick = _moves(self.geometry, terms, t0, t1, y0, args)
        root, begun = jnp.sqrt(t1 - t0), solver_state.begun
        now = jnp.where(begun, 0.5, 1.0).astype(x.dtype)
        later = jnp.where(begun, 0.5, 0.5 * 7**0.5 - 1).astype(x.dtype)
        step = move + root * solver_state.kick + now * kick
        y1 = self.geometry.exp(x, step)
        kept = self.geometry.transport(x, step, later / root * kick)
        carried = _Carried(kept, jnp.array(True))
        return y1, None, {"y0": y0, "y1": y1}, carried, diffrax.RESULTS.successful

    def func(self, terms, t0, y0, args):
        return terms.vf(t0, y0, args)


def _moves(geometry: AbstractGeometry, terms, t0, t1, y0, args):
    """The point, and its tangent moves by the drift and by the noise."""
    drift, diffusion = terms.terms
    x = geometry.project(y0)
    move = geometry.to_tangent(x, drift.vf_prod(t0, x, args, drift.contr(t0, t1)))
    return x, move, diffusion.vf_prod(t0, x, args, diffusion.contr(t0, t1))
