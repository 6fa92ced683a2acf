"""Which engine sums: Dense while the matrix is small, Blockwise beyond, never more than there is memory."""

import jax
import jax.numpy as jnp
import pytest
from refusals import check_refused

from meanfield.attention import L2, Blockwise, Dense, Sinkhorn, Softmax
from meanfield.attention.engines import _dense


def is_program(parameter) -> bool:
    """Whether a parameter of an operation is what it runs, such as the body of a loop."""
    return hasattr(parameter, "eqns") or hasattr(parameter, "jaxpr")


def largest_matrix(attention, n: int) -> int:
    """The most numbers in any array of the traced program."""

    def sizes(jaxpr):
        for equation in jaxpr.eqns:
            yield from (var.aval.size for var in equation.outvars)
            for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
                if is_program(inner):
                    yield from sizes(getattr(inner, "jaxpr", inner))

    traced = jax.make_jaxpr(attention)(jax.ShapeDtypeStruct((n, 3), jnp.float64))
    return max(sizes(traced.jaxpr))


def test_size_decides_and_engine_for_says_which():
    attention = Softmax(2.0)
    assert isinstance(attention.engine_for(2048), Dense)  # 2048^2 doubles are 32 MiB
    assert isinstance(attention.engine_for(2049), Blockwise)
    assert isinstance(attention.engine_for(10, 10**6), Blockwise)
    assert isinstance(attention.engine_for(2049, dtype=jnp.float32), Dense)
    for one in (L2(2.0), Sinkhorn(2.0)):
        assert isinstance(one.engine_for(2048), Dense)
        assert isinstance(one.engine_for(2049), Blockwise)
    assert isinstance(Softmax(2.0, engine=Blockwise(7)).engine_for(10), Blockwise)
    assert largest_matrix(attention, 2048) == 2048**2
    assert largest_matrix(attention, 8192) < 8192**2 / 40


def test_dense_beyond_memory_is_refused_before_anything_is_allocated(monkeypatch):
    huge = jax.ShapeDtypeStruct((10**7, 3), jnp.float64)
    with pytest.raises(ValueError, match="use engine=Blockwise"):
        jax.eval_shape(Softmax(2.0, engine=Dense()), huge)
    monkeypatch.setattr(_dense, "available_memory", lambda: 3 * 8 * 100.0)
    assert Softmax(2.0, engine=Dense())(jnp.eye(10)).shape == (10, 10)
    check_refused(lambda: Softmax(2.0, engine=Dense())(jnp.eye(11)), "n = 11 by m = 11")


def test_blocks_have_a_positive_integer_side():
    check_refused(lambda: Blockwise(0), ">= 1")
