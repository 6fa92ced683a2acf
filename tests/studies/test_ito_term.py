"""What noise adds to a loss: exact for quadratic losses, by their recursion and by Ito's rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from meanfield.studies.latents import _ito_term
from meanfield.studies.latents._ito_term import (
    ItoTerm,
    compared,
    courses,
    excess_of,
    fitted,
    half_trace,
)

CENTRES = np.array([[1.0, 0.0], [-1.0, 2.0], [0.5, -1.0], [0.0, 0.3]])
BEND = np.array([[2.0, 0.4], [0.4, 0.5]])
START = np.array([0.7, -0.4])


def loss(weights, rows):
    """(x - a_w) A (x - a_w)/2, the mean over rows w."""
    off = weights - jnp.asarray(CENTRES)[rows]
    return jnp.einsum("ri,ij,rj->", off, jnp.asarray(BEND), off) / (2 * len(rows))


def test_the_first_rate_is_that_of_hessian_and_covariance():
    """Gradients A (x - a_w) have the covariance A Cov(a) A."""
    covariance = BEND @ np.cov(CENTRES.T, bias=True) @ BEND
    exact = np.trace(BEND @ covariance) / 2
    found = half_trace(loss, jnp.asarray(START), len(CENTRES))
    assert float(found) == pytest.approx(exact, rel=1e-12)


def test_descent_with_batches_has_the_mean_of_its_recursion():
    """x' = x - eta A (x - m) - eta A xi with covariance Cov(a)/batch of xi: means of losses follow from
    those of x and of its squares."""
    rate, steps, saves, batch, runs = 0.3, 2, 2, 2, 4000
    numbers = jnp.asarray(rate), jnp.asarray(steps), saves
    keys = jax.random.split(jax.random.key(0), runs)
    found = np.asarray(courses(loss, jnp.asarray(START), 4, keys, *numbers, batch))
    plain = np.asarray(courses(loss, jnp.asarray(START), 4, keys[:1], *numbers, None))[0]
    middle, spread = CENTRES.mean(axis=0), np.cov(CENTRES.T, bias=True)
    turn, mean, cov = np.eye(2) - rate * BEND, START - middle, np.zeros((2, 2))
    floor, exact, quiet = np.trace(BEND @ spread) / 2, [], []
    for k in range(steps * saves):
        mean = turn @ mean
        cov = turn @ cov @ turn.T + rate**2 * BEND @ spread @ BEND / batch
        if k % steps == steps - 1:
            quiet.append(mean @ BEND @ mean / 2 + floor)
            exact.append(quiet[-1] + np.trace(BEND @ cov) / 2)
    np.testing.assert_allclose(plain, quiet, rtol=1e-12)
    # four standard errors, a tenth of what noise adds
    reach = 4 * found.std(axis=0) / np.sqrt(runs)
    assert (reach < 0.2 * (np.array(exact) - quiet)).all()
    assert (np.abs(found.mean(axis=0) - exact) < reach).all()


def test_the_fit_finds_what_made_the_excess():
    """dD/dt = -2 c D + 2 c eta stall, and its solution is fitted back."""
    times, rates = np.array([0.5, 1.0, 2.0, 4.0]), np.array([0.1, 0.3])
    made = excess_of(times, rates, 0.4, 0.05)
    h = 1e-5
    slope = (excess_of(times + h, rates, 0.4, 0.05) - excess_of(times - h, rates, 0.4, 0.05)) / (
        2 * h
    )
    np.testing.assert_allclose(slope, -0.8 * made + 0.8 * rates[:, None] * 0.05, rtol=1e-8)
    # a bounded search over the logarithm ends at 1e-5
    assert fitted(times, rates, made, np.full(made.shape, 0.01)) == pytest.approx(
        (0.4, 0.05), rel=1e-4
    )
    heavy = np.where(times < 3, 1e-6, 1.0)  # what is not known does not count
    off = made + np.where(times < 3, 0.0, 1.0)
    found = fitted(times, rates, off, np.broadcast_to(heavy, made.shape))
    assert found == pytest.approx((0.4, 0.05), rel=1e-4)


def test_held_out_runs_are_told_by_normal_densities(monkeypatch):
    """Runs that scatter about E4: their number is found, and gains are differences of log densities."""
    monkeypatch.setattr(_ito_term, "RESAMPLES", 20)
    times, rates, rng = np.array([0.5, 1.0, 2.0]), np.array([0.1, 0.3]), np.random.default_rng(0)
    exact = excess_of(times, rates, 1.0, 0.05)
    each = exact[:, None] + 0.002 * rng.normal(size=(2, 16, 3))
    found = {name: value[1] for name, value in compared(times, rates, each, 0).items()}
    # the mean of twelve runs at the end is known to .0006, over a rate of .3 to .002: four of these
    assert abs(found["stall"] - 0.05) < 0.008 and found["stall_high"] - found["stall_low"] < 0.016
    assert found["stall_low"] < found["stall"] < found["stall_high"]
    kept, out = each[:, np.arange(16) % 4 != 3], each[:, 3::4]
    fit, spread = excess_of(times, rates, found["curvature"], found["stall"]), kept.std(1, ddof=1)
    laws = [stats.norm(mean[:, None], spread[:, None]).logpdf(out) for mean in (fit, 0 * fit)]
    np.testing.assert_allclose(found["gain"], (laws[0] - laws[1]).mean(axis=(0, 2)), rtol=1e-10)
    rest = kept.mean(axis=1)
    share = 1 - np.sum((rest - fit) ** 2) / np.sum(rest**2)
    assert found["explained"] == pytest.approx(share, rel=1e-12)


def test_runs_are_put_together(monkeypatch):
    """With the quadratic loss: means, their standard errors, and what the claims allow."""
    single = lambda w, rows: loss(w.astype(float), rows).astype(jnp.float32)
    monkeypatch.setattr(_ito_term, "_start", lambda *_: (single, jnp.asarray(START, jnp.float32)))
    monkeypatch.setattr(_ito_term, "_first", lambda *_: 3.0)
    monkeypatch.setattr(_ito_term, "RESAMPLES", 8)
    study = ItoTerm(rates=(0.1, 0.2), batch=2, runs=8, windows=4, span=0.8, saves=2)
    parts = [study.compute(cell) for cell in study.cells()]
    runs = parts[0].excess_each + parts[0].plain
    np.testing.assert_allclose(parts[0].loss, runs.mean("run"), rtol=1e-12)
    found = study.assemble(parts)
    each = found.excess_each.transpose("run", "rate", "time").values
    np.testing.assert_allclose(found.excess, each.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.excess_error, stats.sem(each, axis=0), rtol=1e-12)
    assert found["first"] == 1.5
    over = found.excess - 4 * found.excess_error - 1.5 * found.rate * found.time
    (claim,) = (c for c in study.claims(found) if c.name.startswith("excess over"))
    assert claim.measured == pytest.approx(float(over.max()), rel=1e-12)


def test_training_goes_on_in_single_precision():
    _, weights = _ito_term._start.__wrapped__(2, 0)
    leaves = jax.tree.leaves(weights)
    assert leaves and {str(leaf.dtype) for leaf in leaves} == {"float32"}
