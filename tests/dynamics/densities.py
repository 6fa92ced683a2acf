"""What the tests of densities share: one equation that holds every case, so that it compiles once."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from scipy.integrate import solve_ivp

from meanfield.attention import MultiHead, Softmax, Unnormalized
from meanfield.dynamics import FokkerPlanck
from meanfield.harmonics._polynomials import gauss
from meanfield.solve import simulate


def linear(kappa, x):
    """V = -kappa x_1, which draws tokens toward e_1."""
    return -kappa * x[0]


def equation(basis, usa=0.0, sa=0.0, noise=0.0, kappa=0.0, beta=0.0):
    """usa times unnormalized attention, sa times softmax, noise and a linear potential."""
    eye = jnp.eye(basis.d)
    heads = [Unnormalized(beta, value=usa * eye), Softmax(beta, value=sa * eye)]
    return FokkerPlanck(basis, MultiHead(heads), noise, Partial(linear, jnp.asarray(kappa)))


def run(fp, start, end, steps):
    """The density at time `end` by `steps` equal steps."""
    return simulate(fp, start, jnp.array([0.0, end]), dt=end / steps).final


@eqx.filter_jit
def expand(basis, law):
    """The coefficients of a law of `measures`."""
    return basis.analyze(jnp.exp(law.log_density(basis.points)))


@eqx.filter_jit
def drift(fp, coeffs):
    """d coeffs/dt at time 0."""
    return fp.drift(jnp.zeros(()), coeffs, None)


def error(coeffs, exact) -> float:
    """The distance in L2 of the sphere, relative."""
    return float(jnp.linalg.norm(coeffs - exact) / jnp.linalg.norm(exact))


def moebius_radius(d: int, r0: float, end: float) -> float:
    """The solution of r' = (1 - r^2) m(r)/2, with m = int t rho_r w dt by a Gauss rule."""
    t, w = (np.asarray(a, float) for a in gauss(d, 400))

    def slope(_, r):
        density = ((1 - r * r) / (1 - 2 * r * t + r * r)) ** (d - 1)
        return (1 - r * r) / 2 * (w @ (t * density))

    path = solve_ivp(slope, (0, end), [r0], method="DOP853", rtol=1e-13, atol=1e-15)
    return float(path.y[0, -1])
