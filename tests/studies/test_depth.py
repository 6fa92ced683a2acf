import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from meanfield.studies import Depth


def test_the_fitted_line_gives_the_order_and_the_depth_for_one_percent():
    study = Depth(depths=(10, 20, 40), t_end=2.0)
    layers = np.array(study.depths)
    part = xr.Dataset({"error": ("layers", 0.605 / layers)}, {"layers": layers})
    whole = study.assemble([part] * len(study.cells()))
    np.testing.assert_allclose(whole.order, 1, atol=1e-12)
    np.testing.assert_allclose(whole.order_error, 0, atol=1e-7)  # the root of a rounding
    assert (whole.layers_for_percent == 61).all()


def test_the_perceptron_has_outputs_of_length_about_one():
    x = jax.random.normal(jax.random.key(3), (64, 8))
    x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
    lengths = jnp.linalg.norm(jax.vmap(Depth(d=8)._perceptron())(x), axis=1)
    # E tanh(z)^2 = .394 for a standard normal z, so they are about sqrt(2 * .394) = .89 long.
    assert 0.6 < lengths.mean() < 1.2
