"""What the studies of the heat-equation limit are built of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from meanfield.attention import L2, Softmax
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere
from meanfield.studies import HeatLimitParticles
from meanfield.studies.heat._heat_flows import (
    DIFFUSIVITY,
    MIXTURE,
    NORMAL,
    heat_attention,
    heat_flow,
    labels,
)
from meanfield.studies.heat._heat_limit_particles import _line_distance
from meanfield.studies.machinery._fits import order_of


def test_the_interval_of_a_slope_is_that_of_student():
    # Three points at log h = -1, 0, 1 with residuals r (1, -2, 1): s^2 = 6 r^2 with one degree of freedom,
    # sum h^2 = 2, so that the slope errs by sqrt(3) r; tan(.95 pi/2) is the quantile of Cauchy's law.
    r, h = 0.01, xr.DataArray([-1.0, 0.0, 1.0], dims="h")
    error = np.exp(2 * h + r * np.array([1.0, -2.0, 1.0]))
    found = order_of(np.exp(h), error, "h")
    reach = np.tan(0.95 * np.pi / 2) * np.sqrt(3) * r
    np.testing.assert_allclose(found.order, 2, rtol=1e-12)
    np.testing.assert_allclose(found.order_high - found.order, reach, rtol=1e-6)
    np.testing.assert_allclose(found.order - found.order_low, reach, rtol=1e-6)


def test_the_interval_of_an_order_in_n_follows_from_each_distance():
    study = HeatLimitParticles(attentions=("L2",), starts=("R",), sizes=(10, 100, 1000))
    n = np.array(study.sizes)
    parts = [
        xr.Dataset({"distance": ((), 3 * k**-0.5), "distance_error": ((), 0.3 * k**-0.5)})
        for k in n.tolist()
    ]
    whole = study.assemble(parts)
    # The slope is (log D_1000 - log D_10) / log 100, each logarithm known to a tenth; 1.96 of them.
    reach = 1.959964 * np.sqrt(2) * 0.1 / np.log(100)
    np.testing.assert_allclose(whole.order, -0.5, rtol=1e-12)
    np.testing.assert_allclose(whole.order_high - whole.order, reach, rtol=1e-6)
    np.testing.assert_allclose(whole.order - whole.order_low, reach, rtol=1e-6)


def test_quantiles_invert_the_tails():
    x = np.linspace(-7, 7, 29)
    # The masses of the far tails are below 1e-20, where only their relative precision says anything.
    np.testing.assert_allclose(MIXTURE.quantiles(*MIXTURE.tails(x)), x, atol=1e-12)


def test_labels_integrate_to_rounding():
    x, w = labels(MIXTURE, 240)
    mean = MIXTURE.weights @ MIXTURE.means
    square = MIXTURE.weights @ (MIXTURE.variances + MIXTURE.means**2)
    # What lies beyond 6.5 standard deviations, times its square, is 4e-9.
    np.testing.assert_allclose([w @ x, w @ x**2], [mean, square], atol=1e-8)


def test_the_distance_of_a_cloud_from_a_normal_law():
    n = 2000
    level = (np.arange(n) + 0.5) / n
    x = NORMAL.quantiles(level, 1 - level)
    # A shift moves every quantile; what remains at none is that of the cells, largest at the ends.
    assert _line_distance(x, 0.0, 0.5) < 0.02
    shifted = _line_distance(x + 0.3, 0.0, 0.5)
    np.testing.assert_allclose(shifted**2, 0.3**2 + _line_distance(x, 0.0, 0.5) ** 2, rtol=1e-10)


def test_attention_by_distance_is_the_gradient_of_a_smoothed_density():
    eps = jnp.asarray(0.1)
    x, w = (jnp.asarray(a) for a in labels(NORMAL, 120))
    field = heat_attention("L2", eps, 1)(x[:, None], None, w)[:, 0] + x / eps
    # -grad log of the normal law of variance s + eps, by the trapezoid rule: exact to rounding, where
    # labels reach a few widths of the kernel further.
    inside = jnp.abs(x) < 3
    np.testing.assert_allclose(field[inside], (x / (0.5 + eps))[inside], atol=1e-6)


@pytest.mark.parametrize(("kind", "rate"), [("L2", 2 / np.e), ("Sinkhorn", 0.5569)])
def test_the_fastest_wave_sets_the_largest_step(kind, rate):
    width, n = 0.05, 64
    eps = jnp.asarray(width)
    angle = jnp.linspace(0.0, 2 * jnp.pi, n, endpoint=False)
    ring = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    flow, across = heat_flow(kind, eps, Sphere(2)), jnp.stack([-ring[:, 1], ring[:, 0]], axis=-1)

    def turning(shift):
        turned = ring * jnp.cos(shift)[:, None] + across * jnp.sin(shift)[:, None]
        normal = jnp.stack([-turned[:, 1], turned[:, 0]], axis=-1)
        return jnp.sum(flow.drift(jnp.zeros(()), turned, None) * normal, axis=-1)

    jacobian = jax.jit(jax.jacfwd(turning))(jnp.zeros(n))
    # The rate lambda_k q_k (over 1 + q_k) of wave k, q_k the multiplier of the kernel, against that of
    # the line; waves are discrete, and the circle is curved: a share of eps.
    fastest = -np.linalg.eigvals(jacobian).real.min() * width
    np.testing.assert_allclose(fastest, rate, rtol=width)
    assert DIFFUSIVITY[kind] == {"L2": 1.0, "Sinkhorn": 0.5}[kind]


def test_on_the_sphere_attention_by_distance_is_softmax():
    x = np.random.default_rng(0).normal(size=(6, 3))
    x = jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))
    fields = (a(x) for a in (L2(5.0), Softmax(5.0)))
    np.testing.assert_allclose(*fields, atol=1e-13)
    assert isinstance(heat_flow("L2", jnp.asarray(0.2), Sphere(3)), AttentionFlow)
