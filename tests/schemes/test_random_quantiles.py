"""The energy inequality of quantiles in random problems from rough starts."""

import functools

import jax
import jax.numpy as jnp
import pytest

from meanfield.energies import Circle, Entropy, InternalEnergy, Line, Pairwise, Potential
from meanfield.schemes import QuantileJKO, SecondOrderJKO
from meanfield.solve import rollout


def rough(key, n):
    """Positive gaps, some of them large."""
    return jax.random.exponential(key, (n,)) ** 2 + 1e-3


def on_the_line(key, tau, nu, a):
    energy = Potential(lambda x: a * (x[0] - 5) ** 2 / 2) + nu * Entropy() + a * InternalEnergy(2.0)
    return energy, jnp.cumsum(rough(key, 16)), Line()


def on_the_circle(key, tau, nu, a):
    """Tokens that repel and are pulled, so that minima are many, and entropy is small or large."""
    gaps = rough(key, 16)
    energy = Potential(lambda x: -a * x[0]) + nu * Entropy() - a * Pairwise(jnp.dot)
    return energy, 2 * jnp.pi * jnp.cumsum(gaps) / gaps.sum(), Circle()


@functools.partial(jax.jit, static_argnums=(0, 1))
def random_excess(scheme, case, keys):
    """The largest excess of energy over the inequality, relative, of each of many runs."""

    def one(key):
        first, second = jax.random.split(key)
        tau, nu, a = 10 ** jax.random.uniform(first, (3,), minval=-2, maxval=1)
        energy, start, domain = case(second, tau, nu, a)
        run = rollout(scheme(energy, tau, domain), start, 4)
        return (run.stats["excess"] / (1 + jnp.abs(run.stats["energy"]))).max()

    return jax.vmap(one)(keys)


@pytest.mark.slow  # the inequality is held at every step of the runs in test_quantile_jko.py
@pytest.mark.parametrize("scheme", [QuantileJKO, SecondOrderJKO])
@pytest.mark.parametrize("case", [on_the_line, on_the_circle])
def test_energy_falls_in_two_hundred_random_runs(scheme, case):
    worst = random_excess(scheme, case, jax.random.split(jax.random.key(3), 200))
    # Sums of some hundred terms of the size of the energy.
    assert float(worst.max()) < 1e-12
