"""Influence over positions under windows of attention, fitted by the document of context diffusion: what is
found is the diffusion and the velocity of the limit of such windows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from editing import edited

from meanfield.attention import Softmax, window
from meanfield.dynamics import AttentionFlow, HarmonicMapFlow
from meanfield.geometry import Sphere
from meanfield.solve import simulate
from meanfield.surrogates.runs._flow import rates
from meanfield.surrogates.runs._run import arguments

N, WIDTH = 32, 3.0
CASES = {"both": (1, False), "behind": (1, True), "wide": (3, False)}


def ring(tmp_path):
    """Context diffusion on a ring with a token in each cell, of which spread and drift are sought."""
    sought = {"D": "token**2/layer", "c": "token/layer"}
    bounds = {"D": [0.01, 10.0], "c": [-2.0, 2.0]}
    measured = {"symbol": "y", "expression": "u", "units": "1/token", "noise": {"size": 1e-3}}
    return edited(
        tmp_path,
        "context_diffusion",
        input__unknowns=[
            {"symbol": n, "role": "parameter", "units": u, "bounds": bounds[n]}
            for n, u in sought.items()
        ],
        modeling__domain={"symbol": "x", "units": "token", "kind": "ring", "stop": N, "cells": N},
        modeling__variables__3__value=N / 2,
        modeling__variables__4__value=WIDTH,
        modeling__boundary_conditions=[],
        modeling__measurements=[measured],
    )


def limit(radius, backward):
    """The mask, and spread and drift of its limit; velocity carries toward smaller places."""
    mask = window(N, radius, periodic=True, backward=backward)
    flow = HarmonicMapFlow.of_mask(Sphere(2), mask, length=float(N))
    return mask, float(flow.diffusion), -float(flow.velocity)


@pytest.mark.parametrize("case", ["both", "behind"])
def test_neighbours_are_the_differences_of_the_document(tmp_path, case):
    """u' = A u - u with the attention A of tokens that agree, on themselves and one neighbour to a side: the
    document's finite volumes of a token each, to the last digit."""
    mask, spread, drift = limit(*CASES[case])
    assert (spread, drift) == pytest.approx({"both": (1 / 3, 0), "behind": (1 / 4, 1 / 2)}[case])
    model = ring(tmp_path).model
    args = {**arguments(model), "D": jnp.asarray(spread), "c": jnp.asarray(drift)}
    field = jax.jit(lambda u: rates(model, jnp.asarray(0.0), u[None], args)[0])
    u = np.cos(np.arange(N) ** 2)
    walk = np.asarray(Softmax(0.0, mask=mask).weights(jnp.ones((N, 1)))) - np.eye(N)
    np.testing.assert_allclose(field(jnp.asarray(u)), walk @ u, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_measured_influence_has_the_diffusion_of_its_window(tmp_path, case):
    """Tokens on a circle whose angles begin as a bump of height .001: what is left of it over layers."""
    mask, spread, drift = limit(*CASES[case])
    x, size, layers = np.arange(N) + 0.5, 1e-2, np.arange(5.0)
    bump = np.exp(-(((x - N / 2) / WIDTH) ** 2) / 2) / (np.sqrt(2 * np.pi) * WIDTH)
    angles = lambda y: jnp.arctan2(y[:, 1], y[:, 0])
    start = jnp.stack([jnp.cos(size * bump), jnp.sin(size * bump)], axis=1)
    flow = AttentionFlow(Sphere(2), Softmax(0.0, mask=mask))
    run = simulate(flow, start, layers, observe={"angle": angles}, tol=1e-11)
    influence = np.asarray(run.values["angle"]) / size
    np.testing.assert_allclose(influence.sum(axis=1), 1.0, atol=1e-5)
    data = {"l": np.repeat(layers, N), "x": np.tile(x, len(layers)), "y": influence.ravel()}
    fit = ring(tmp_path).fit(data, starts=1)
    assert fit.converged and fit.rank == 2
    assert fit.values["c"] == pytest.approx(drift, abs=1e-5)
    if (
        case != "wide"
    ):  # nothing but angles of a thousandth, squared, and runs of 1e-11 over their size
        assert fit.values["D"] == pytest.approx(spread, rel=1e-5)
        return
    # Rates 2 k^2 - (28/24) k^4 of the window, by its fourth moment, D (k^2 - k^4/12) of differences: they
    # agree at D = 2 - k^2, where least squares take the mean of k^6 over that of k^4, 5/(2 width^2) at most.
    assert spread - 5 / (2 * WIDTH**2) < fit.values["D"] < spread
