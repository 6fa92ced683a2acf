"""The ring of devices against one device; the tests have four of them (see conftest.py)."""

import re

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, PartitionSpec
from refusals import check_refused
from unit_vectors import normal, unit_vectors

import meanfield as mf
from meanfield.attention import (
    Blockwise,
    Dense,
    Sharded,
    Sinkhorn,
    Softmax,
    Unnormalized,
    alibi,
    causal,
)

SPHERE = mf.geometry.Sphere(3)
X = unit_vectors(0, 24, 3)
Y = unit_vectors(1, 13, 3)  # no multiple of the devices
W = jnp.linspace(1.0, 2.0, 13) / 19.5
QUERY, KEY = normal(2, 2, 2, 3)
VALUE = normal(4, 4, 3)


def ring(devices: int) -> Sharded:
    """Of blocks that do not divide a share."""
    return Sharded(Mesh(np.array(jax.devices()[:devices]), ("tokens",)), engine=Blockwise(4))


CASES = {
    "alone": (Unnormalized, 2, {}, (X,)),
    "cross": (Softmax, 4, {"query": QUERY, "key": KEY, "value": VALUE}, (X[:22], Y, W)),
    "causal": (Softmax, 4, {"mask": causal(22), "value": VALUE}, (X[:22],)),
    "alibi": (Softmax, 2, {}, (X,)),
}


@pytest.mark.parametrize("name", CASES)
def test_fields_and_gradients_are_those_of_one_device(name):
    kind, devices, options, points = CASES[name]

    def total(engine):
        def of(beta, slope, *points):
            masks = {"mask": alibi(24, slope)} if name == "alibi" else {}
            field = kind(beta, engine=engine, **options, **masks)(*points)
            return jnp.vdot(jnp.cos(field).ravel(), jnp.linspace(0.0, 1.0, field.size)), field

        slopes = jax.value_and_grad(of, argnums=range(2 + len(points)), has_aux=True)
        return jax.jit(slopes)(2.0, 0.3, *points)

    (_, field), slopes = total(ring(devices))
    (_, exact), exact_slopes = total(Dense())
    # Sums of 24 terms of order one; gradients are sums of some hundred such.
    np.testing.assert_allclose(field, exact, atol=1e-14)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-13), slopes, exact_slopes)


def test_no_pair_of_tokens_is_computed_twice():
    # All terms of a share with itself, then half of each of the others: p + p (p - 1) / 2 * 2 halves.
    for devices, n in ((2, 16), (4, 12)):
        share = n // devices
        field = Softmax(2.0, engine=Sharded(ring(devices).ring.mesh, engine=Blockwise(1)))
        loops = str(jax.make_jaxpr(field)(X[:n]))
        assert f"length={share * (share + 1) // 2}" in loops
        assert f"length={share * (-(-share // 2))}" in loops


def test_keys_without_weight_and_huge_logits_do_no_harm():
    # The first device's own keys have no weight, and the exponentials of the others overflow: those of
    # logits up to 900 by the temperature alone, by the lengths alone, and by both.
    w = jnp.repeat(jnp.array([0.0, 1 / 18]), jnp.array([6, 18]))
    run, dense = (
        jax.jit(lambda x, beta, e=engine: Softmax(beta, engine=e)(x, None, w))
        for engine in (ring(4), Dense())
    )
    for beta, scale, first in ((900.0, 1.0, 1.0), (0.01, 300.0, 1.0), (900.0, 1.0, 30.0)):
        x = jax.device_put(X).at[:6].multiply(first) * scale
        np.testing.assert_allclose(run(x, beta), dense(x, beta), atol=1e-12 * scale)


@pytest.mark.slow  # half a minute
def test_a_trajectory_stays_spread_and_is_that_of_one_device():
    engine = ring(4)
    ts = jnp.array([0.0, 0.5, 1.0])

    def run(engine, x0):
        flow = mf.dynamics.AttentionFlow(SPHERE, Softmax(2.0, engine=engine))
        done = mf.simulate(
            flow, x0, ts, observe={"x": lambda x: x}, solver=diffrax.Heun(), tol=1e-3
        )
        return jnp.sum(jnp.cos(done.final)), done

    def both(engine, x0):
        return jax.jit(jax.value_and_grad(lambda x: run(engine, x), has_aux=True))(x0)

    (_, spread), slopes = both(engine, engine.shard(X))
    (_, exact), exact_slopes = both(Dense(), X)
    assert spread.final.sharding.spec == slopes.sharding.spec == PartitionSpec("tokens")
    assert spread.values["x"].sharding.spec == PartitionSpec(None, "tokens")
    assert int(spread.stats["rhs"]) == int(exact.stats["rhs"])
    # Some 30 right-hand sides, each of which rounds to 1e-15.
    np.testing.assert_allclose(spread.final, exact.final, atol=1e-13)
    np.testing.assert_allclose(slopes, exact_slopes, atol=1e-13)


@pytest.mark.slow
def test_sinkhorn_attention_goes_around_the_ring():
    engine = ring(4)

    def slope(engine, x):
        total = lambda x: jnp.sum(jnp.cos(Sinkhorn(2.0, engine=engine, tol=1e-12)(x)))
        return jax.jit(jax.grad(total))(x)

    # Both solve to 1e-12; 13 points leave a device without any.
    np.testing.assert_allclose(slope(engine, engine.shard(X)), slope(Dense(), X), atol=1e-10)
    few = Sinkhorn(2.0, engine=engine, iterations=2)(X[:22], Y[:5])
    exact = Sinkhorn(2.0, engine=Dense(), iterations=2)(X[:22], Y[:5])
    np.testing.assert_allclose(few, exact, atol=1e-14)


@pytest.mark.parametrize("devices", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_traffic_and_memory(devices):
    """d + 1 numbers a token and step, and as many sums where no pair is computed twice; memory and
    messages are those of a share."""
    engine = Sharded(ring(devices).ring.mesh, engine=Blockwise(16))

    def field(x):
        return Softmax(2.0, engine=engine)(x)

    def compiled(function, n):
        return jax.jit(function).lower(engine.shard(jnp.ones((n, 3)))).compile()

    n = 2**12
    forward, share = compiled(field, n), n // devices
    # Within loops of as many steps as devices: one way around, or both ways if logits are bounded.
    assert _messages(forward) == [(share, 4)] * 3
    backward = compiled(lambda x: jax.vjp(field, x)[1](x), n)
    assert _messages(backward) == [(share, 4)] * 3 + [(share, 8)]
    for program in (forward, backward):
        text = program.as_text()
        assert not re.search(r" (all-gather|all-to-all)\(", text)
        # The bound of the logits: numbers, not arrays.
        shapes = [s for line in re.findall(r"= (.*) all-reduce\(", text) for s in line.split()]
        assert shapes and all("[]" in shape for shape in shapes)
        # Some tens of numbers a token of the share: all pairs would take n of them.
        assert program.memory_analysis().temp_size_in_bytes < 8 * 64 * share


def _messages(program) -> list[tuple[int, ...]]:
    """The shapes of the collective permutes of a compiled program."""
    found = re.findall(r"f64\[([\d,]+)\]\S* collective-permute\(", program.as_text())
    return sorted(tuple(int(size) for size in shape.split(",")) for shape in found)


def test_vmap_and_other_values_are_not_traced_again():
    traces = []

    @jax.jit
    def fields(x, beta):
        traces.append(1)
        return jax.vmap(lambda x: Softmax(beta, engine=ring(2))(x))(x)

    dense = jax.jit(lambda x, beta: jax.vmap(Softmax(beta, engine=Dense()))(x))
    x = jnp.stack([X, X[::-1]])
    for beta in (1.0, 2.0):
        exact = dense(x, beta)
        np.testing.assert_allclose(fields(x, beta), exact, atol=1e-14)
    assert len(traces) == 1


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="are Auto"):
        Sharded(jax.make_mesh((2,), ("tokens",), axis_types=(AxisType.Explicit,)))
    check_refused(lambda: Sharded(axis="heads"), "among")
    check_refused(lambda: Sharded().shard(Y), "drop 1 or add 3")
    with pytest.raises(ValueError, match="mask by index"):
        Softmax(2.0, mask=jnp.ones((24, 24), bool), engine=Sharded())(X)
