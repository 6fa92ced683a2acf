"""What `simulate` observes, counts, returns and refuses, and that it composes with jax."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield.attention import Layers, Softmax
from meanfield.dynamics import AttentionFlow, Control, Drift
from meanfield.geometry import Euclidean, Sphere
from meanfield.observables import state
from meanfield.solve import SolveError

SPHERE = Sphere(3)
START = SPHERE.sample(jax.random.key(1), 4)
TS = jnp.linspace(0.0, 2.0, 5)
LINE = Euclidean(1)
ONE = jnp.ones((1, 1))


def moments(x):
    return x.mean(axis=0), (x**2).mean()


OBSERVE = {"x": state, "moments": moments}


def flow(beta=2.0):
    return AttentionFlow(SPHERE, Softmax(beta))


def test_observables_are_taken_on_the_sphere_at_each_time():
    plain = {"count": len, "flag": lambda x: True}
    out = mf.simulate(flow(), START, TS, observe=OBSERVE | plain, tol=1e-9)
    x = out.values["x"]
    assert x.shape == (5, 4, 3)
    np.testing.assert_array_equal(out.values["count"], 5 * [4])
    assert out.values["flag"].dtype == bool and out.values["flag"].all()
    np.testing.assert_allclose(x[0], START, atol=1e-15)
    np.testing.assert_allclose(jnp.linalg.norm(x, axis=-1), 1, atol=1e-15)
    np.testing.assert_allclose(x[-1], out.final, atol=1e-15)
    np.testing.assert_allclose(out.values["moments"][0], x.mean(axis=1), atol=1e-15)
    # Saves between steps are interpolated to fourth order: a run that ends there agrees.
    there = mf.simulate(flow(), START, 0.75 * TS, observe=OBSERVE, tol=1e-9)
    np.testing.assert_allclose(there.final, x[3], atol=1e-7)
    np.testing.assert_array_equal(out.ts, TS)
    assert out.ok


def test_observables_are_numbers():
    with pytest.raises(ValueError, match="for the observable name, got 'Ada'"):
        mf.simulate(flow(), START, TS, observe={"name": lambda x: "Ada"})


def test_times_of_another_type_are_taken_in_the_dtype_of_the_tokens():
    expected = mf.simulate(flow(), START, TS, observe=OBSERVE, tol=1e-9).final
    for ts in (TS.astype(jnp.float32), np.asarray(TS), [0.0, 0.5, 1.0, 1.5, 2.0]):
        out = mf.simulate(flow(), START, ts, observe=OBSERVE, tol=1e-9)
        np.testing.assert_array_equal(out.final, expected)


@pytest.mark.slow
def test_single_precision_stays_and_agrees():
    expected = mf.simulate(flow(), START, TS, observe=OBSERVE, tol=1e-9).final
    small = mf.simulate(flow(), START.astype(jnp.float32), TS, observe=OBSERVE)
    assert {leaf.dtype for leaf in jax.tree.leaves((small.values, small.ts, small.final))} == {
        jnp.dtype("float32")
    }
    # Rounding of float32, times the steps.
    np.testing.assert_allclose(small.final, expected, atol=1e-5)


def test_a_trajectory_is_a_labelled_dataset():
    data = mf.simulate(flow(), START, TS, observe=OBSERVE, tol=1e-9).to_xarray()
    assert data.x.dims == ("time", "x_1", "x_2")
    assert data.moments_0.shape == (5, 3) and data.moments_1.dims == ("time",)
    np.testing.assert_array_equal(data.time, TS)
    assert data.attrs["accepted"] + data.attrs["rejected"] == data.attrs["steps"]


@pytest.mark.parametrize(
    ("solver", "dt"),
    [
        (diffrax.Euler(), 0.1),
        pytest.param(diffrax.Heun(), None, marks=pytest.mark.slow),
        (diffrax.Tsit5(), None),
    ],
    ids=["Euler", "Heun", "Tsit5"],
)
def test_right_hand_sides_are_counted(solver, dt):
    calls = []

    def push(t, x, args):
        jax.debug.callback(lambda: calls.append(1))
        return jnp.roll(x, 1, axis=1)

    layers = [Softmax(1.0, value=jnp.eye(3)), Softmax(1.0, value=-jnp.eye(3))]
    times = jnp.array([0.0, 0.7])
    dynamics = AttentionFlow(SPHERE, Layers(layers, times)) + Control(SPHERE, push)
    out = mf.simulate(dynamics, START, TS, solver=solver, dt=dt, tol=1e-3)
    jax.effects_barrier()
    assert out.stats["rhs"] == len(calls)


def square(x):
    return x**2


def test_failed_runs_raise_with_a_remedy_or_are_returned():
    few = {"max_steps": 2, "tol": 1e-9}
    with pytest.raises(SolveError, match="raise max_steps"):
        mf.simulate(flow(), START, TS, **few)
    assert not mf.simulate(flow(), START, TS, throw=False, **few).ok
    # x' = x^2 from 1 is infinite at t = 1: fixed steps overflow, adaptive ones come to a halt.
    blow_up = Drift(LINE, square)
    with pytest.raises(SolveError, match="lower dt"):
        mf.simulate(blow_up, ONE, jnp.array([0.0, 30.0]), solver=diffrax.Euler(), dt=1.0)
    out = mf.simulate(blow_up, ONE, jnp.array([0.0, 2.0]), throw=False)
    assert not out.ok and out.stats["steps"] < 1000
    with pytest.raises(SolveError, match="blows up"):
        mf.simulate(blow_up, ONE, jnp.array([0.0, 2.0]))


def test_a_failure_under_jit_is_not_silent():
    # Only an observable is used, not the final state.
    @eqx.filter_jit
    def last():
        out = mf.simulate(Drift(LINE, square), ONE, jnp.array([0.0, 2.0]), observe={"x": state})
        return out.values["x"][-1]

    with pytest.raises(eqx.EquinoxRuntimeError, match="run failed"):
        last()


def test_a_run_may_be_vmapped_over_parameters_and_starts():
    starts = jnp.stack([SPHERE.sample(jax.random.key(seed), 4) for seed in range(3)])
    betas = jnp.array([1.0, 2.0, 5.0])

    def run(beta, x0):
        return mf.simulate(flow(beta), x0, TS, observe=OBSERVE, tol=1e-9).final

    together = jax.jit(jax.vmap(run))(betas, starts)
    alone = jnp.stack([run(beta, x0) for beta, x0 in zip(betas, starts, strict=True)])
    # Each run takes its own steps; sums in another order may differ by rounding.
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_gradients_agree_with_differences():
    @jax.jit
    def loss(beta, turn):
        x0 = START + turn * jnp.roll(START, 1, axis=1)
        out = mf.simulate(flow(beta), SPHERE.project(x0), TS, observe={"x": state}, tol=1e-10)
        return jnp.sum(out.values["x"][..., 0] ** 2) + out.final[0, 1]

    at, h = (jnp.array(2.0), jnp.array(0.1)), 1e-3
    gradient = jax.jit(jax.grad(loss, argnums=(0, 1)))(*at)
    # Central differences of fourth order: h^4 is 1e-12, and an error of 1e-10 over h is 1e-7.
    for i in (0, 1):
        values = [loss(*(a + k * h * (i == j) for j, a in enumerate(at))) for k in (-2, -1, 1, 2)]
        difference = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
        np.testing.assert_allclose(gradient[i], difference, atol=2e-6)


def test_progress_is_shown(capsys):
    mf.simulate(flow(), START, TS, progress=True)
    jax.effects_barrier()
    assert "%" in capsys.readouterr().out
