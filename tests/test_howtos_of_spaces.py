"""A basis and a geometry, added from outside with public names."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import meanfield as mf

TS = jnp.array([0.0, 1.0])


class Cosines(mf.harmonics.AbstractBasis):
    """1, sqrt2 cos(j theta): the functions on the circle that are even in theta."""

    degree: int = eqx.field(static=True)
    d: ClassVar[int] = 2

    @property
    def whole(self):
        return mf.harmonics.Fourier(self.degree)

    def _even(self, coeffs):
        return jnp.concatenate([coeffs[..., :1], coeffs[..., 1::2]], axis=-1)

    def _padded(self, coeffs):
        cosines = coeffs[..., 1:]
        pairs = jnp.stack([cosines, 0 * cosines], axis=-1).reshape(*coeffs.shape[:-1], -1)
        return jnp.concatenate([coeffs[..., :1], pairs], axis=-1)

    degrees = property(lambda self: np.arange(self.degree + 1))
    nodes = property(lambda self: self.whole.nodes)
    points = property(lambda self: self.whole.points)
    weights = property(lambda self: self.whole.weights)
    _metric = property(lambda self: self.whole.weights)

    def coordinates(self, x):
        return x

    def analyze(self, values):
        return self._even(self.whole.analyze(values))

    def synthesize(self, coeffs):
        return self.whole.synthesize(self._padded(coeffs))

    def evaluate(self, coeffs, x):
        return self.whole.evaluate(self._padded(coeffs), x)

    def gradient(self, coeffs, x):
        return self.whole.gradient(self._padded(coeffs), x)

    def node_gradient(self, coeffs):
        return self.whole.node_gradient(self._padded(coeffs))

    def moments(self, x, w=None):
        return self._even(self.whole.moments(x, w))


def test_a_basis():
    start = 1 + 0.5 * jnp.cos(mf.harmonics.Fourier(6).nodes)
    bases = Cosines(6), mf.harmonics.Fourier(6)
    ends = []
    for basis in bases:
        density = mf.dynamics.FokkerPlanck(basis, mf.attention.Unnormalized(2.0), 0.3)
        run = mf.simulate(density, basis.analyze(start), TS, tol=1e-8)
        ends.append(basis.synthesize(run.final))
    # An even density stays even.
    np.testing.assert_allclose(*ends, atol=1e-6)


class Globe(mf.geometry.AbstractGeometry):
    """The sphere of radius 2: the unit sphere, at half the size."""

    d: int = eqx.field(static=True)

    @property
    def unit(self):
        return mf.geometry.Sphere(self.d)

    def project(self, x):
        return 2 * self.unit.project(x)

    def to_tangent(self, x, v):
        return self.unit.to_tangent(x / 2, v)

    def exp(self, x, v):
        return 2 * self.unit.exp(x / 2, v / 2)

    def log(self, x, y):
        return 2 * self.unit.log(x / 2, y / 2)

    def transport(self, x, v, w):
        return self.unit.transport(x / 2, v / 2, w)

    def mean_curvature(self, x):
        return self.unit.mean_curvature(x / 2) / 2

    def distance(self, x, y):
        return 2 * self.unit.distance(x / 2, y / 2)

    def sample(self, key, n):
        return 2 * self.unit.sample(key, n)

    def check(self, x, name="x"):
        return 2 * self.unit.check(jnp.asarray(x) / 2, name)

    def extend(self, field, x):
        return 2 * self.unit.extend(lambda u: field(2 * u) / 2, x / 2)


def test_a_geometry():
    globe, south = Globe(2), jnp.array([0.0, -1.0])
    start = 2 * jnp.array([[np.sin(1.0), np.cos(1.0)]])
    run = mf.simulate(mf.dynamics.Drift(globe, lambda x: south + 0 * x), start, TS, tol=1e-8)
    # The angle from north obeys 2 a' = sin a: tan(a/2) grows as e^{t/2}.
    a = 2 * np.arctan(np.tan(0.5) * np.exp(0.5))
    np.testing.assert_allclose(run.final[0], 2 * np.array([np.sin(a), np.cos(a)]), rtol=1e-6)
    np.testing.assert_allclose(globe.distance(run.final, start), 2 * (a - 1), rtol=1e-6)
