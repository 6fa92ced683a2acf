"""What printing shows: one line of names and numbers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import meanfield as mf
from meanfield._shown import one_line
from meanfield.attention import MultiHead, Softmax
from meanfield.dynamics import AttentionFlow, Drift, PreNorm
from meanfield.geometry import Euclidean, Sphere

SPHERE = Sphere(3)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (
            AttentionFlow(SPHERE, Softmax(9.0), noise=0.1),
            "AttentionFlow(geometry=Sphere(d=3), attention=Softmax(beta=9), noise=0.1)",
        ),
        (AttentionFlow(SPHERE, Softmax(9.0), noise=0.0).attention, "Softmax(beta=9)"),
        (Softmax(0.1, query=jnp.eye(2)), "Softmax(beta=0.1, query=[[1, 0], [0, 1]])"),
        (Softmax(2, query=jnp.eye(3)), "Softmax(beta=2, query=f64[3,3])"),
        (MultiHead([Softmax(1.0)]), "MultiHead(heads=(Softmax(beta=1),))"),
        (mf.energies.Potential(jnp.sum), "Potential(function=sum)"),
        (2 * mf.energies.Entropy(), "Scaled(factor=2, energy=Entropy())"),
        (mf.harmonics.Gegenbauer(8, 4), "Gegenbauer(d=8, degree=4)"),
        (PreNorm(), "PreNorm()"),
        (mf.transport.SquaredGeodesic(), "SquaredGeodesic()"),
    ],
)
def test_objects_print_as_the_calls_that_make_them(thing, text):
    assert repr(thing) == text


def test_at_most_six_numbers_are_written_out():
    assert one_line(np.arange(6.0)) == "[0, 1, 2, 3, 4, 5]"
    assert one_line(np.arange(7.0)) == "f64[7]"
    assert one_line(np.float32(1 / 3)) == "0.333333"
    assert one_line(jnp.array([True, False])) == "[True, False]"
    assert one_line(jnp.arange(2)) == "[0, 1]"
    assert one_line([*range(9)]) == "[0, 1, 2, ... 9 in all]"


def test_what_is_not_known_prints_as_type_and_shape():
    seen = []

    @eqx.filter_jit
    def traced(beta):
        seen.append(repr(Softmax(beta)))
        return beta

    traced(jnp.asarray(2.0))
    assert seen == ["Softmax(beta=f64[])"]
    gone = jnp.ones(2)
    gone.delete()
    assert one_line(gone) == "f64[2]"
    assert one_line(jax.random.key(0)) == "key<fry>[]"


def test_runs_print_their_numbers_and_why_they_failed():
    ts = jnp.array([0.0, 1.0])
    blown = Drift(Euclidean(1), lambda x: 1 + x**2)  # tan t, from 0: it ends at pi/2
    run = mf.simulate(blown, jnp.zeros((1, 1)), ts, observe={"x": jnp.sum})
    text = repr(run)
    # at the tolerance 1e-6, tan(1) = 1.557408
    assert text.startswith("Trajectory(ts=[0, 1], values={x: [0, 1.5574")
    assert "ok=True, reached=1)" in text
    failed = mf.simulate(blown, jnp.zeros((1, 1)), 4 * ts, throw=False, max_steps=4)
    assert repr(failed).startswith("Trajectory(failed='The run stopped early, at t = ")
    assert "raise max_steps" in repr(failed)
    assert "\n" not in repr(failed)
