"""Drifts that iterate: a run tells whether they reached their tolerance, and fails where not."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield._hooks import answering
from meanfield.attention import MultiHead, Sinkhorn, Softmax
from meanfield.dynamics import AbstractCloud, AttentionFlow, SinkhornFlow
from meanfield.geometry import Euclidean, Sphere
from meanfield.solve import SolveError, _watch

SPHERE, LINE = Sphere(3), Euclidean(1)
START = SPHERE.sample(jax.random.key(1), 4)
TS = jnp.array([0.0, 0.5, 1.0])


class Iterating(AbstractCloud):
    """x' = 1, by an iteration that has no answer from x = `edge` on, and drifts on where `loose`."""

    edge: jax.Array
    loose: jax.Array
    geometry: Euclidean = LINE
    noise: None = None
    weights: None = None

    def field(self, t, x, args):
        return jnp.where((x < self.edge) | self.loose, jnp.ones_like(x), jnp.nan)

    def solved(self, t, state, args):
        # An operation that nothing else has, and so can be counted.
        return (state < self.edge).all() & (jax.lax.population_count(jnp.int32(7)) == 3)


OBSERVE = {"x": mf.observables.state}


def run(edge, loose, **options):
    flow = Iterating(jnp.array(edge), jnp.array(loose))
    return mf.simulate(flow, jnp.zeros((1, 1)), TS, observe=OBSERVE, **options)


@pytest.mark.parametrize("merge", [None, 1e-6])
def test_a_run_says_whether_inner_iterations_converged(merge):
    assert run(2.0, False, merge=merge).stats["converged"]
    # The last state is solved, one that was saved before is not: x = 1/2 with the edge at 1/4.
    for edge in (0.25, 0.75):
        out = run(edge, True, merge=merge, throw=False)
        assert not out.stats["converged"] and not out.ok
        np.testing.assert_allclose(out.final, 1, atol=1e-12)
        with pytest.raises(SolveError, match="the iterations of Iterating did not reach"):
            run(edge, True, merge=merge)


def test_iterations_at_saves_are_in_a_program_once_and_where_memory_is_short_at_each_save(
    monkeypatch,
):
    def told(ts):
        def converged(edge):
            flow = Iterating(edge, jnp.array(True))
            return mf.simulate(flow, jnp.zeros((1, 1)), ts, throw=False).stats["converged"]

        edges = jnp.array([2.0, 0.75, 0.1])
        program = jax.jit(jax.vmap(converged)).lower(edges)
        np.testing.assert_array_equal(program.compile()(edges), [True, False, False])
        return program.as_text().count("popcnt")

    assert told(jnp.array([0.0, 0.25, 0.5, 1.0])) == 1
    monkeypatch.setattr(_watch, "_MOST_KEPT", 0)
    assert told(jnp.array([0.0, 0.25, 0.5, 0.75, 1.0])) > 1


def test_a_drift_that_is_nan_where_they_fail_stops_the_run_there():
    out = run(0.75, False, throw=False)
    # The last step that is accepted ends where the drift is still known.
    assert not out.ok and 0.5 < out.reached <= 0.75
    with pytest.raises(SolveError, match="Iterating do not converge"):
        run(0.75, False)


def test_under_jit_it_is_an_error_at_run_time():
    with pytest.raises(eqx.EquinoxRuntimeError, match="run failed"):
        eqx.filter_jit(lambda edge: run(edge, True).final)(0.75)


def test_sums_heads_and_flows_ask_their_attention():
    good, bad = Sinkhorn(2.0), Sinkhorn(2.0, max_iterations=1, tol=1e-12)
    t = jnp.zeros(())

    def answer(attention):
        return AttentionFlow(SPHERE, attention).solved(t, START, None)

    assert answer(Softmax(2.0)) is None and answer(Sinkhorn(2.0, iterations=3)) is None
    assert answer(good) and not answer(bad)
    assert not answer(MultiHead([good, bad])) and answer(MultiHead([good, Softmax(1.0)]))
    flows = [AttentionFlow(SPHERE, each) for each in (Softmax(1.0), good, bad)]
    assert (flows[0] + flows[1]).solved(t, START, None)
    for pair in (flows[1] + flows[2], flows[2] + flows[1]):
        assert not pair.solved(t, START, None)
    carried = SinkhornFlow(SPHERE, good)
    assert carried.solved(t, carried.check(START), None)
    assert answering(flows[1], "solved") == ["Sinkhorn"]
    # An average by a plan that is no plan is NaN, not a number.
    assert jnp.isnan(jax.jit(lambda x: flows[2].drift(t, x, None))(START)).all()
    assert jnp.isfinite(jax.jit(lambda x: flows[1].drift(t, x, None))(START)).all()
