"""Small objects that the entries of several rooms share."""

import jax
import jax.numpy as jnp

from meanfield.attention import Softmax, Unnormalized
from meanfield.dynamics import AttentionFlow, FokkerPlanck
from meanfield.energies import Entropy, Interaction, Potential
from meanfield.geometry import Euclidean, Sphere
from meanfield.harmonics import Fourier, Gegenbauer, SphericalHarmonics

N, D = 5, 3
SPHERE, FLAT = Sphere(D), Euclidean(D)
KEY = jax.random.key(0)
X, Y = (SPHERE.sample(jax.random.key(k), N) for k in (1, 2))
FLAT_X, FLAT_Y = X + 0.5, 1.5 * Y
CLOUDS = jnp.stack([X, Y])
W = jnp.array([0.1, 0.3, 0.2, 0.15, 0.25])
V = W[::-1]
HALVES = jnp.array([0.25, 0.75])
MATRIX = jnp.eye(D) + 0.2 * jax.random.normal(jax.random.key(3), (D, D))
COV = MATRIX @ MATRIX.T
COV2 = jnp.diag(jnp.array([0.5, 1.0, 2.0]))
MEAN, NORTH = jnp.array([0.1, -0.2, 0.3]), jnp.array([0.0, 0.0, 1.0])
ANGLES = jnp.array([0.3, 1.0, 2.0, 4.0, 5.5])
ROW = jnp.array([-1.0, -0.4, -0.1, 0.3, 0.8, 1.5])
TS = jnp.array([0.0, 0.1, 0.2])

CIRCLE, ZONAL, S2 = Fourier(6), Gegenbauer(D, 6), SphericalHarmonics(4)
WAVE = CIRCLE.analyze(1 + 0.5 * CIRCLE.points[:, 0])
BUMP = ZONAL.analyze(1 + 0.5 * ZONAL.nodes)
SOFTMAX, UNNORMALIZED = Softmax(2.0), Unnormalized(2.0)
FLOW = AttentionFlow(SPHERE, SOFTMAX)
DENSITY = FokkerPlanck(CIRCLE, SOFTMAX, 0.1)


def bowl(x):
    """A potential on R^3 without symmetry."""
    return 0.5 * x[0] ** 2 + x[1] + 0.2 * x[1] * x[2]


def well(x):
    """A potential on the line."""
    return x[0] ** 2 / 2


ENERGY = Interaction(2.0)
LINE_ENERGY = Entropy() + Potential(well)
