"""Valid calls of the landscape."""

import jax.numpy as jnp

import meanfield as mf
from catalogue import committors, paths
from catalogue.entry import Later, entry
from catalogue.things import (
    CIRCLE,
    ENERGY,
    FLOW,
    HALVES,
    KEY,
    SOFTMAX,
    TS,
    UNNORMALIZED,
    WAVE,
    W,
    X,
    bowl,
)  # fmt: skip
from meanfield.dynamics import AttentionFlow, FokkerPlanck
from meanfield.energies import Potential
from meanfield.harmonics import Gegenbauer
from meanfield.landscape import CriticalPoints, HeteroclinicGraph, RandomPair, barrier, branch

FLAT_DENSITY = WAVE.at[1:].set(0)


def double_well(x):
    """A potential with two wells on the circle."""
    return -(x[0] ** 2)


def first_pair(x):
    """An outcome of a run: how near the first two tokens are."""
    return x[0] @ x[1]


def effort(control):
    """A toy run: effort and cost of a constant control."""
    return jnp.sum(control**2), jnp.exp(-2 * jnp.sum(control))


ANTIPODES = jnp.array([[1.0, 0.0], [-1.0, 0.0]])
RUN = Later(lambda: mf.simulate(FLOW, X, TS, observe={"x": mf.observables.state}))
WALL = Later(lambda: barrier(mf.attention.Unnormalized(5.0), 2, 5.2, degree=16))
PAIRS = CriticalPoints(
    x=jnp.array([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [-1.0, 0.0]]]),
    energy=jnp.zeros(2),
    index=jnp.arange(2),
    rates=jnp.zeros((2, 2)),
    orbit=jnp.ones(2, int),
    residual=jnp.zeros(2),
    found=jnp.ones(2, int),
)
NARROW = Gegenbauer(2, 6)
EVEN = jnp.zeros(7).at[0].set(1.0)
ENTRIES = [
    *committors.ENTRIES,
    *paths.ENTRIES,
    entry(
        "landscape.barrier",
        slow_=True,
        attention=mf.attention.Unnormalized(5.0),
        d=2,
        noise=5.2,
        degree=16,
        fine_={("degree", "zero")},
        kinds_={"noise": "positive"},
    ),
    entry("landscape.escape_time", slow_=True, barrier=WALL, n=10, target=0.5, single_=None),
    entry(
        "landscape.RandomPair",
        beta=2.0,
        d=8,
        scale=1.0,
        pull=0.1,
        kinds_={"pull": "nonnegative"},
        fine_={("pull", "zero")},
    ),
    entry("landscape.RandomPair.drift", RandomPair(2.0, 8).drift, c=0.3),
    entry("landscape.RandomPair.variance", RandomPair(2.0, 8).variance, c=0.3),
    entry("landscape.RandomPair.antipodal", RandomPair(2.0, 8).antipodal, c=0.3),
    entry("landscape.RandomPair.critical_beta", RandomPair(2.0, 8).critical_beta),
    entry(
        "landscape.passage_time",
        potential=jnp.sin,
        start=0.0,
        target=1.0,
        noise=0.5,
        mobility=jnp.exp,
        wall=-0.5,
        panels=2,
        single_=None,
    ),
    entry(
        "landscape.committor",
        potential=jnp.sin,
        x=jnp.array([0.2, 0.4]),
        a=0.0,
        b=1.0,
        noise=0.5,
        mobility=jnp.exp,
        panels=2,
        single_=None,
        kinds_={"a": "real", "b": "real"},
    ),
    entry(
        "landscape.survival",
        times=jnp.array([1.0, 2.0, 4.0]),
        escaped=jnp.array([True, False, True]),
        single_=None,
    ),
    entry(
        "landscape.kramers_time",
        slow_=True,
        energy=Potential(double_well),
        minimum=jnp.array([[1.0, 0.0]]),
        saddle=jnp.array([[0.0, 1.0]]),
        noise=0.5,
        ways=2.0,
        single_=None,
    ),
    entry(
        "landscape.saddle",
        slow_=True,
        energy=-ENERGY,
        x0=X[:2],
        index=2,
        w=HALVES,
        max_steps=100,
        throw=False,
        single_=None,
    ),
    entry(
        "landscape.critical_points",
        slow_=True,
        energy=-ENERGY,
        n=2,
        d=2,
        key=KEY,
        starts=2,
        max_steps=50,
        single_=None,
    ),
    entry("landscape.AtSaddles", energy=-ENERGY, distance=0.5),
    entry(
        "landscape.basins",
        slow_=True,
        flow=FLOW,
        x0=X,
        t_end=0.2,
        key=KEY,
        runs=2,
        start=0.1,
        spread=0.1,
        tolerance=0.1,
        single_=None,
    ),
    entry(
        "landscape.decision_times",
        slow_=True,
        flow=FLOW,
        run=RUN,
        key=KEY,
        runs=2,
        spread=0.1,
        level=0.5,
        tolerance=0.1,
        single_=None,
    ),
    entry(
        "landscape.dwell_time",
        slow_=True,
        flow=AttentionFlow(mf.geometry.Sphere(2), SOFTMAX),
        saddle=ANTIPODES,
        x=jnp.array([[1.0, 0.0], [-0.8, 0.6]]),
        radius=1.0,
        single_=None,
        collapses_=(),  # it looks at the clouds, and so has no gradient
        kinds_={"saddle": "points", "radius": "positive"},
    ),
    entry("landscape.pushes", slow_=True, flow=FLOW, x0=X, ts=TS, outcome=first_pair, single_=None),
    entry(
        "landscape.heteroclinic_graph",
        slow_=True,
        energy=-ENERGY,
        states=PAIRS,
        key=KEY,
        directions=2,
        max_steps=200,
        single_=None,
        kinds_={"states": "object"},
    ),
    entry(
        "landscape.walk",
        graph=HeteroclinicGraph(PAIRS, jnp.zeros((PAIRS.index.size,) * 2, int), 0 * PAIRS.index),
        ts=jnp.arange(2.0),
        x=jnp.stack([PAIRS.x[0]] * 2),
        radius=0.1,
        single_=None,
        kinds_={"x": "array", "radius": "positive"},
    ),
    entry(
        "landscape.cloud_string",
        slow_=True,
        energy=-ENERGY,
        start=X[:2],
        end=X[1:3],
        w=HALVES,
        images=5,
        time=0.1,
        dt=0.01,
        single_=None,
        kinds_={"start": "points", "end": "points", "images": "count", "time": "positive"},
    ),
    entry(
        "landscape.morse_count",
        states=PAIRS,
        single_=None,
        kinds_={"states": "object"},
    ),
    entry(
        "landscape.string",
        slow_=True,
        equation=FokkerPlanck(NARROW, SOFTMAX, 2.0),
        energy=mf.energies.Entropy(),
        start=EVEN,
        end=EVEN.at[1].set(0.3),
        images=5,
        time=0.1,
        dt=0.01,
        single_=None,
    ),
    entry(
        "landscape.branch",
        slow_=True,
        attention=UNNORMALIZED,
        d=2,
        degree=8,
        until=0.5,
        points=40,
        kinds_={"points": "count"},
        fine_={("until", "zero")},
    ),
    entry("landscape.critical_noise", attention=SOFTMAX, d=3, max_degree=8),
    entry("landscape.growth_rates", attention=SOFTMAX, d=3, noise=0.1, max_degree=8),
    entry("landscape.fastest_mode", attention=SOFTMAX, d=3, noise=0.1, max_degree=8),
    entry("landscape.tricritical_beta", d=3),
    entry("landscape.alignment_blow_up", slope=-2.0),
    entry("landscape.attended_share", scale=1.0, d=3),
    entry(
        "landscape.crossing",
        slow_=True,
        branch=Later(lambda: branch(mf.attention.Unnormalized(3.0), 2, degree=24)),
        single_=None,
    ),
    entry("landscape.hessian", energy=Potential(bowl), x=X, w=W),
    entry("landscape.hessian_index", slow_=True, energy=ENERGY, x=X, w=W),
    entry("landscape.escape_rates", slow_=True, energy=ENERGY, x=X, w=W),
    entry(
        "landscape.least_effort",
        slow_=True,
        outcome=effort,
        control=0.3 * jnp.ones(2),
        bound=0.1,
        iterations=5,
        penalty=10.0,
        kinds_={"control": "array"},
        # Any tree of numbers is a control: what it must be, the outcome says.
        fine_={("control", "ragged rows"), ("control", "an attention"), ("control", "None")},
    ),
    entry(
        "landscape.stationary",
        slow_=True,
        equation=FokkerPlanck(CIRCLE, SOFTMAX, 2.0),
        guess=FLAT_DENSITY,
        tol=1e-9,
        max_steps=20,
    ),
]
