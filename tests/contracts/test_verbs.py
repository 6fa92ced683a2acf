"""Contracts of `simulate` and `rollout` over every case: dtype, retracing, vmap, gradients, keys."""

import functools
import inspect

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES, FLOWS, SCHEMES
from together import InTurn, SideBySide, cast, closeness, move

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import AbstractDynamics, AbstractParticles, Equiangular

STEP = 1e-4
H = 0.05
BRIEF = {"softmax", "noise", "momentum", "layers", "mix", "control"}
BRIEF |= {"arc length", "places", "equiangular", "gaussian", "density"}
BRIEF |= {"random layers", "quantiles"}
"""A case of each kind of state, jump, noise and clock: what else runs through the same lines of the
verbs is compiled by validation."""


def is_brief(case) -> bool:
    return case.name in BRIEF


every_case = pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if is_brief(case) else pytest.mark.slow) for case in CASES],
    ids=lambda case: case.name,
)


def run(cases, starts, scale=1.0, dtype=None, observe=None):
    """Two fixed steps of all cases, side by side."""
    args = {case.name: case.args for case in cases}
    parts = {case.name: case.make(scale) for case in cases}
    if dtype is not None:
        learned = {case.name for case in cases if case.learned}
        parts = {k: cast(part, dtype) if k in learned else part for k, part in parts.items()}
        args = cast(args, dtype)
    if is_scheme(cases[0]):
        return mf.rollout(InTurn(parts), starts, 2, observe=observe, args=args)
    ts = jnp.array([0.0, 2 * H])
    return mf.simulate(
        SideBySide(parts), starts, ts, dt=H, solver=diffrax.Euler(), observe=observe, args=args
    )


def is_scheme(case) -> bool:
    return any(case is each for each in SCHEMES)


def starts_of(cases):
    return {case.name: case.state for case in cases}


def patterned(state):
    """A fixed linear combination of the numbers of a state."""
    return sum(
        jnp.vdot(jnp.cos(jnp.arange(a.size, dtype=a.dtype)), a) for a in jax.tree.leaves(state)
    )


def directions(starts):
    return jax.tree.map(
        lambda a: jnp.sin(1 + jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape), starts
    )


def two_steps(case, state):
    """What two steps of the case should be, without the verbs."""
    for k in range(2):
        moved = move(case.system, state, case.args, k * H)
        euler = jax.tree.map(lambda a, v: a + H * v, state, moved)
        state = moved if is_scheme(case) else euler
    return case.system.project(state)


@functools.cache
def vmapped_runs(schemes: bool, brief: bool):
    """Runs from the start, and from the start moved by STEP along a direction, both ways."""
    cases = [case for case in (SCHEMES if schemes else FLOWS) if is_brief(case) == brief]
    starts = starts_of(cases)
    bent = jax.tree.map(
        lambda a, v: jnp.stack([a, a + STEP * v, a - STEP * v]), starts, directions(starts)
    )
    return jax.jit(jax.vmap(lambda state: run(cases, state).final))(bent)


def lanes_of(case):
    return vmapped_runs(is_scheme(case), is_brief(case))[case.name]


@functools.cache
def steps_and_gradient(name):
    """Two steps of a case by themselves, and the gradient of `patterned` in their start."""
    case = next(case for case in CASES if case.name == name)

    def pattern(state):
        after = two_steps(case, state)
        return patterned(after), after

    gradient, after = jax.jit(jax.grad(pattern, has_aux=True))(case.state)
    return after, gradient


@every_case
def test_compiled_vmapped_runs_are_the_steps_one_by_one(case):
    lanes = lanes_of(case)
    after, _ = steps_and_gradient(case.name)
    assert closeness(jax.tree.map(lambda a: a[0], lanes), after) <= 1e-13


@every_case
def test_gradients_in_the_start_are_finite_differences(case):
    _, gradient = steps_and_gradient(case.name)
    products = jax.tree.map(jnp.vdot, gradient, directions(case.state))
    slope = sum(float(product) for product in jax.tree.leaves(products))
    lanes = lanes_of(case)
    ahead, behind = (patterned(jax.tree.map(lambda a, i=i: a[i], lanes)) for i in (1, 2))
    # A central difference is off by STEP^2 = 1e-8 times a third derivative of order 10, and eps/STEP.
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * STEP), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("cases", [FLOWS[:1], SCHEMES[:1]], ids=["simulate", "rollout"])
def test_gradients_pass_through_the_verbs(cases):
    through = jax.grad(lambda starts: patterned(run(cases, starts).final))(starts_of(cases))
    _, exact = steps_and_gradient(cases[0].name)
    assert closeness(through[cases[0].name], exact) <= 1e-13


@pytest.mark.slow
@pytest.mark.parametrize("cases", [FLOWS, SCHEMES], ids=["simulate", "rollout"])
def test_runs_keep_float32_and_other_values_are_not_traced_again(cases):
    traces = []

    def look(state):
        traces.append(1)
        return state

    starts = cast(starts_of(cases), jnp.float32)
    first = run(cases, starts, dtype=jnp.float32, observe={"state": look})
    count = len(traces)
    for leaf in jax.tree.leaves((first.final, first.values, first.ts)):
        assert leaf.dtype == jnp.float32
    # Random numbers of single precision are other ones.
    for case in (case for case in cases if case.name != "random layers"):
        final = first.final[case.name]
        # Two steps of about 300 operations each on numbers of order one, with 7 digits.
        exact = jax.tree.map(lambda a: a[0], lanes_of(case))
        assert closeness(final, exact) <= 1e-4
    second = run(cases, starts, scale=1.1, dtype=jnp.float32, observe={"state": look})
    assert len(traces) == count
    assert closeness(second.final, first.final) > 1e-4  # the other values were used


def test_python_floats_are_not_traced_again():
    traces = []

    def look(state):
        traces.append(1)
        return state

    def reduced(beta, **options):
        flow, observe = Equiangular(Softmax(beta), 8), {"g": look}
        return mf.simulate(flow, jnp.zeros(()), jnp.array([0.0, 1.0]), observe=observe, **options)

    for first, second in (({"tol": 1e-3}, {"tol": 1e-9}), ({"dt": 0.1}, {"dt": 0.05})):
        before = reduced(2.0, **first)
        count = len(traces)
        after = reduced(3.0, **second)
        assert len(traces) == count
        assert int(after.stats["steps"]) > int(before.stats["steps"])


@pytest.mark.parametrize(
    "case", [c for c in FLOWS if getattr(c.system, "noise", None) is not None], ids=lambda c: c.name
)
def test_the_same_key_gives_the_same_noise(case):
    if not isinstance(case.system, AbstractParticles):
        return  # a density feels noise through its diffusion, which is no accident
    finals = [
        mf.simulate(case.system, case.start, jnp.array([0.0, 0.1]), dt=0.05, key=key).final
        for key in (jax.random.key(0), jax.random.key(0), jax.random.key(1))
    ]
    np.testing.assert_array_equal(finals[0], finals[1])
    assert float(jnp.abs(finals[2] - finals[0]).max()) > 1e-3


def test_every_public_dynamics_and_scheme_has_a_case():
    def parts(system):
        yield type(system)
        for part in vars(system).values():
            for each in part if isinstance(part, tuple) else (part,):
                if hasattr(each, "__dataclass_fields__"):
                    yield from parts(each)

    covered = {kind for case in CASES for kind in parts(case.system)}
    bases = (AbstractDynamics, mf.schemes.AbstractScheme, mf.dynamics.AbstractNormalization)
    for room in (mf.dynamics, mf.schemes):
        classes = [kind for _, kind in inspect.getmembers(room, inspect.isclass)]
        public = [kind for kind in classes if issubclass(kind, bases)]
        missing = {t for t in public if not t.__name__.startswith("Abstract")} - covered
        assert not missing, f"add a line to tests/cases.py for each of {missing}"
