"""Programs of runs that a disk may keep: what calls the host is compiled anew in every process."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src import pjit
from jax.experimental.compilation_cache import compilation_cache

import meanfield as mf
from meanfield.solve._known_times import _hundred_before

SPHERE = mf.geometry.Sphere(3)
X = SPHERE.sample(jax.random.key(0), 5)
TS = jnp.array([0.0, 0.5, 1.0])
FLOW = mf.dynamics.AttentionFlow(SPHERE, mf.attention.Softmax(2.0))
NOISY = mf.dynamics.AttentionFlow(SPHERE, mf.attention.Softmax(2.0), noise=0.1)
RUNS = {
    "adaptive": (FLOW, {}),
    "fixed": (FLOW, {"dt": 0.25}),
    "noisy": (NOISY, {"dt": 0.25, "key": jax.random.key(1)}),
    "Heun": (NOISY, {"dt": 0.25, "key": jax.random.key(1), "solver": diffrax.Heun()}),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_does_not_throw_never_calls_the_host(name):
    flow, options = RUNS[name]
    program = jax.make_jaxpr(lambda x: mf.simulate(flow, x, TS, throw=False, **options).final)(X)
    assert "callback" not in str(program)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_end_of_a_run_is_neared_at_once(dtype):
    """diffrax steps to the hundredth number before the last time, of which each step is twenty operations."""
    x = np.array([1.0, -3.0, 1e-30, 1e30, 0.5 + 1e-6, -1e-9], dtype)
    steps = x
    for _ in range(100):
        steps = np.nextafter(steps, -np.inf)
    np.testing.assert_array_equal(jax.vmap(_hundred_before)(jnp.asarray(x)), steps)
    assert _hundred_before(jnp.zeros((), dtype)) == -np.finfo(dtype).tiny
    program = jax.make_jaxpr(lambda x: mf.simulate(FLOW, x, TS, throw=False).final)(X)
    assert "nextafter" not in str(program)


def test_an_eager_run_raises_on_the_host_and_not_in_its_program(tmp_path):
    """What jax keeps of it on the disk: it leaves out programs that may call the host."""
    before = {name: getattr(jax.config, name) for name in KEPT}
    try:
        for name, value in (KEPT | {"jax_compilation_cache_dir": str(tmp_path)}).items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        mf.simulate(FLOW, X, TS)
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
    assert any("_integrate" in path.name for path in tmp_path.iterdir())


def test_a_new_shape_is_one_program(monkeypatch):
    """Checks look at known values by NumPy, which compiles nothing."""
    mf.simulate(FLOW, X, TS)
    fewer = X[:4]
    made, first = [], pjit._pjit_call_impl_python

    def counted(*args, **how):
        if any(getattr(x, "shape", ())[:1] == (4,) for x in args):
            made.append(how["name"])
        return first(*args, **how)

    monkeypatch.setattr(pjit, "_pjit_call_impl_python", counted)
    mf.simulate(FLOW, fewer, TS)
    assert made == ["_integrate"]


KEPT = {
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 0,
    "jax_enable_compilation_cache": True,
}


@pytest.mark.parametrize("throw", [False, True])
@pytest.mark.parametrize("what", ["times", "step"])
def test_traced_times_that_are_wrong_are_told_or_end_as_no_number(what, throw):
    """With `throw` an error at run time, without it a state of NaN that is not ok."""

    @jax.jit
    def run(ts, dt):
        return mf.simulate(FLOW, X, ts, dt=dt, throw=throw)

    ts, dt = (TS[::-1], 0.25) if what == "times" else (TS, -0.25)
    if throw:
        with pytest.raises(Exception, match=r"expected increasing times|expected dt > 0"):
            jax.block_until_ready(run(ts, dt).final)
        return
    found = run(ts, dt)
    assert not found.ok and jnp.isnan(found.final).all()
    assert run(TS, 0.25).ok


def test_runs_of_others_keep_their_checks():
    def run(ts):
        term = diffrax.ODETerm(lambda t, y, args: -y)
        save = diffrax.SaveAt(ts=ts)
        return diffrax.diffeqsolve(term, diffrax.Euler(), 0.0, 1.0, 0.5, jnp.ones(()), saveat=save)

    mf.simulate(FLOW, X, TS)
    with pytest.raises(RuntimeError, match=r"saveat\.ts must be increasing"):
        run(TS[::-1])
