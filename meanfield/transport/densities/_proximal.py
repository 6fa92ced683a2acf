"""Entropic minimizing movements: each is one semi-unbalanced Sinkhorn problem."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from ..._checks import check_finite
from ..._door import door
from ..._products import weighted_sum
from ..._typing import Scalar
from ..sinkhorn import Problem, Solution, log_mass, make_problem, solve
from ._domains import AbstractDomain, Values


class Effort(NamedTuple):
    """Iterations of Sinkhorn, the l1 error of the marginals that they leave, whether that is enough."""

    iterations: Int[Array, ""]
    error: Scalar
    converged: Bool[Array, ""]


class Accuracy(NamedTuple):
    """When to stop: at the error `tol` of the marginals, or after `max_iterations`."""

    tol: float
    max_iterations: int


@door
def proximal_step(
    domain: AbstractDomain,
    density: Values,
    potential: Values,
    temperature: Scalar,
    tau: Scalar,
    epsilon: Scalar,
    accuracy: Accuracy,
    guess: Values,
) -> tuple[Values, Effort]:
    """argmin over rho of OT_epsilon(density, rho) + temperature int rho log rho + int potential rho.

    OT_epsilon(a, rho) = min over plans of <plan, d^2/(2 tau)> + epsilon KL(plan | a rho0), with rho0
    the reference measure w of the domain.

    With nu = temperature, the last terms are nu KL(rho | e^{-V/nu} w). Given the scaling u of the
    rows and L = K^T u, the columns s solve epsilon log(s/(w L)) + nu log(s/(w e^{-V/nu})) = const: they
    are s = (w L)^{1 - share} (w e^{-V/nu})^{share} with share = nu/(nu + epsilon). ott's update at tau_b =
    share is s = L^{1 - share} b^{share}, so that b = w^{1/share} e^{-V/nu} up to a factor.

    The result, of the mass of `density`, obeys s = b e^{-g/nu}: a density carries the potential that
    made it, and `guess`, such as `density` itself, is a warm start without anything being stored.
    `accuracy` says when to stop.
    """
    potential, guess = check_finite(potential, "potential"), check_finite(guess, "guess")
    w = domain.weights.astype(density.dtype)
    mass = weighted_sum(w, density)
    a, share = w * density / mass, temperature / (temperature + epsilon)
    b = jax.nn.softmax(jnp.log(w) / share - potential / temperature)
    geometry = domain.geometry(tau, epsilon)
    problem = make_problem(geometry, a, b, None, share)
    log_b = log_mass(b)
    # The potentials of `solve` are relative to the masses: g - epsilon log b.
    warm = temperature * (log_b - jnp.log(w * filled(guess) / mass)) - epsilon * log_b
    start = _better(problem, warm, jnp.zeros_like(warm))
    tol, most = accuracy
    found = solve(geometry, a, b, tau_b=share, init=start, tol=tol, max_iterations=most)
    new = found.marginals[1]
    return mass * new / (w * new.sum()), _effort(found)


@door
def self_potential(
    domain: AbstractDomain, density: Values, tau: Scalar, epsilon: Scalar, accuracy: Accuracy
) -> tuple[Values, Effort]:
    """h with e^{h/epsilon} K w e^{h/epsilon} = density: the derivative of OT_epsilon(rho, rho)/2.

    It is about (epsilon/2) log density: that is why entropic transport blurs. `tau` is the duration of
    the paths, `accuracy` says when to stop.
    """
    w = domain.weights.astype(density.dtype)
    log = jnp.log(density / weighted_sum(w, density))
    half = -epsilon * log / 2
    a = w * jnp.exp(log)
    tol, most = accuracy
    geometry = domain.geometry(tau, epsilon)
    found = solve(geometry, a, a, symmetric=True, init=(half, half), tol=tol, max_iterations=most)
    return found.f + epsilon * log, _effort(found)


@door
def filled(density: Values) -> Values:
    """The density, but nowhere below 2e-12 of its largest value (7e-6 in float32): no log of 0."""
    floor = float(jnp.finfo(density.dtype).eps) ** 0.75
    return jnp.maximum(density, floor * jax.lax.stop_gradient(density.max()))


def _better(problem: Problem, *starts: Values) -> tuple[Values, Values]:
    """The potentials (f, g) that one iteration changes least: it contracts in the supremum norm, so
    that this bounds the distance to the solution."""
    pairs, there = [(problem.update(g, 1), g) for g in starts], problem.present()[1]
    changes = [jnp.where(there, jnp.abs(problem.update(f, 0) - g), 0) for f, g in pairs]
    first, second = (change.max() for change in changes)
    return jax.tree.map(lambda p, q: jnp.where(first <= second, p, q), *pairs)


def _effort(found: Solution) -> Effort:
    return Effort(found.iterations, found.error, found.converged)
