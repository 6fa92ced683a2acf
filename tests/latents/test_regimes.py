"""Switching linear dynamics: one regime in closed form, two that are known, and what is refused."""

import sys

import numpy as np
import pytest
from refusals import check_refused

from meanfield.latents import Recording, fit_regimes

pytest.importorskip("dynamax")
D, TIME, N = 5, 25, 12
PARTS = slice(None, -1), slice(1, None)
TURNS = [np.pi / 2, -np.pi / 6]


def text(seed, switching=True):
    """Points in a plane of R^5 that turn one way until time 12 and then another, and noise."""
    rng = np.random.default_rng(seed)
    y = [rng.normal(size=(N, 2)) * 2]
    for t in range(TIME - 1):
        a = TURNS[int(switching and t >= 12)]
        turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        y.append(y[-1] @ turn.T + 0.05 * rng.normal(size=(N, 2)))
    rest = np.cumsum(0.01 * rng.normal(size=(TIME, N, D - 2)), axis=0)
    axes = np.linalg.qr(np.random.default_rng(7).normal(size=(D, D)))[0]
    return Recording(np.concatenate([np.array(y), rest], axis=2) @ axes.T)


def test_one_regime_is_a_linear_regression():
    train, test = text(0, False), text(1, False)
    found = fit_regimes(train, test, regimes=[1], ranks=[2], sinks=None, iterations=2)
    z = [t.states / np.sqrt((t.states**2).sum(2).mean(1))[:, None, None] for t in (train, test)]
    mean = z[0].mean(axis=(0, 1))
    axes = np.linalg.svd((z[0] - mean).reshape(-1, D), full_matrices=False)[2]
    ends = [[((a - mean) @ axes.T)[part].reshape(-1, D) for part in PARTS] for a in z]
    (x, y), (v, w) = ends
    design = np.c_[x[:, :2], np.ones(len(x))]
    map_ = np.linalg.lstsq(design, y[:, :2], rcond=None)[0]
    left = y[:, :2] - design @ map_
    cov = left.T @ left / len(left)
    off = w[:, :2] - np.c_[v[:, :2], np.ones(len(v))] @ map_
    log = -0.5 * np.einsum("ni,ij,nj->n", off, np.linalg.inv(cov), off)
    log -= 0.5 * np.log(np.linalg.det(2 * np.pi * cov))
    moves, others = (y - x)[:, 2:], (w - v)[:, 2:]
    drift = moves.mean(axis=0)
    variance = ((moves - drift) ** 2).mean()
    log -= 0.5 * ((others - drift) ** 2 / variance + np.log(2 * np.pi * variance)).sum(axis=1)
    np.testing.assert_allclose(found.log_likelihood, log.mean() / D, rtol=1e-6)
    np.testing.assert_allclose(found.occupation, 1.0)


def test_two_regimes_are_found_where_there_are_two_and_when(programs):
    train, test = [text(k) for k in range(3)], [text(k) for k in (3, 4)]
    ask = {"regimes": [1, 2], "ranks": [2], "iterations": 15, "starts": 2}
    found = fit_regimes(train, test, **ask)
    programs.clear()  # neither starts nor texts, nor a second call, have programs of their own
    assert fit_regimes(train, test, **ask).equals(found)
    assert programs == []
    one, two = found.log_likelihood.sel(rank=2)
    # Turns by a wrong 120 degrees of points at 2 off by .05: hundreds of nats a step.
    assert two > one + 0.5 and found.log_likelihood_low.sel(rank=2, regimes=2) > one
    # Sure of each step but that of the change.
    inside = found.occupation.sel(rank=2, regimes=2).values
    first = inside[:11].mean(axis=0).argmax()
    assert (inside[:12, first] > 0.99).all() and (inside[12:, 1 - first] > 0.99).all()


def test_lengths_of_states_do_not_matter():
    """States are measured by those of their layer, whose squares may be out of range."""
    ask = {"regimes": [1], "ranks": [2], "sinks": None}
    found = [
        fit_regimes(*(Recording(size * text(k).states) for k in (0, 1)), **ask).log_likelihood
        for size in (1.0, 1e160, 1e-160)
    ]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-9)


def test_what_cannot_be_followed_is_refused(monkeypatch):
    one, two = text(0), text(1)
    check_refused(lambda: fit_regimes(one, one), "hold out others")
    check_refused(lambda: fit_regimes(one, two, ranks=[5]), "smaller ranks")
    check_refused(lambda: fit_regimes(one, two, along="sentence"), "layer")
    check_refused(lambda: fit_regimes(one, two, regimes=[2, 2]), "regimes=(1, 2)")
    ask = {"regimes": [1], "ranks": [2], "sinks": None}
    flat = [Recording(t.states * np.array([1, 1, 0, 0, 0])) for t in (one, two)]
    check_refused(lambda: fit_regimes(*flat, **ask), "smaller ranks, or states that move")
    states = one.states.copy()
    states[3] = 0
    check_refused(lambda: fit_regimes(Recording(states), two, **ask), "entry 3; leave it out")
    few = [Recording(t.states[:4, :3]) for t in (one, two)]
    check_refused(lambda: fit_regimes(*few, regimes=[60], ranks=[1]), "pass fewer regimes")
    monkeypatch.setitem(sys.modules, "dynamax.hidden_markov_model", None)
    check_refused(lambda: fit_regimes(one, two), "meanfield-jax[regimes]")
