"""Which engine sums: Dense while the matrix is small, Blockwise beyond, never more than there is memory."""

import os

import jax
import jax.numpy as jnp
import pytest
from refusals import check_refused

from meanfield._memory import block_side
from meanfield.attention import L2, Blockwise, Dense, Sinkhorn, Softmax
from meanfield.attention.engines import _dense


def is_program(parameter) -> bool:
    """Whether a parameter of an operation is what it runs, such as the body of a loop."""
    return hasattr(parameter, "eqns") or hasattr(parameter, "jaxpr")


def largest_matrix(attention, n: int, d: int = 3) -> int:
    """The most numbers in any array of the traced program."""

    def sizes(jaxpr):
        for equation in jaxpr.eqns:
            yield from (var.aval.size for var in equation.outvars)
            for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
                if is_program(inner):
                    yield from sizes(getattr(inner, "jaxpr", inner))

    traced = jax.make_jaxpr(attention)(jax.ShapeDtypeStruct((n, d), jnp.float64))
    return max(sizes(traced.jaxpr))


def test_size_decides_and_engine_for_says_which():
    attention = Softmax(2.0)
    for one, most in (
        (attention, 1024),
        (L2(2.0), 1024),
        (Sinkhorn(2.0), 4096),
    ):  # 8 and 128 MiB of doubles
        assert isinstance(one.engine_for(most), Dense)
        assert isinstance(one.engine_for(most + 1), Blockwise)
        assert isinstance(one.engine_for(10, 10**7), Blockwise)
        assert isinstance(one.engine_for(most + 1, dtype=jnp.float32), Dense)
    assert isinstance(Softmax(2.0, engine=Blockwise(7)).engine_for(10), Blockwise)
    assert largest_matrix(attention, 1024) == 1024**2
    assert largest_matrix(attention, 8192) < 8192**2 / 40


def test_blocks_are_as_few_as_may_be_and_even():
    assert [block_side(n, 1024) for n in (1000, 1024, 1025, 1448, 3000)] == [
        1000,
        1024,
        528,
        736,
        1008,
    ]
    for n in range(1, 200):
        for block in (1, 3, 16, 40):
            side = block_side(n, block)
            count = -(-n // side)
            assert side <= block
            assert count == -(-n // block)
            assert n <= block or side * count - n < 16 * count


def test_a_plan_of_many_columns_takes_no_more_than_its_matrix_or_its_blocks():
    # 32 columns, averaged one by one, would be an array of 32 matrices.
    assert largest_matrix(Sinkhorn(2.0, engine=Dense()), 48, 32) == 48**2
    assert largest_matrix(Sinkhorn(2.0, engine=Blockwise(32)), 64, 32) <= 64 * 33


def test_dense_beyond_memory_is_refused_before_anything_is_allocated(monkeypatch):
    huge = jax.ShapeDtypeStruct((10**7, 3), jnp.float64)
    with pytest.raises(ValueError, match="use engine=Blockwise"):
        jax.eval_shape(Softmax(2.0, engine=Dense()), huge)
    monkeypatch.setattr(_dense, "available_memory", lambda: 3 * 8 * 100.0)
    assert Softmax(2.0, engine=Dense())(jnp.eye(10)).shape == (10, 10)
    check_refused(lambda: Softmax(2.0, engine=Dense())(jnp.eye(11)), "n = 11 by m = 11")


def test_blocks_have_a_positive_integer_side(monkeypatch):
    for cores, side in (({0}, 512), ({0, 1}, 1024)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores, raising=False)
        assert Blockwise().block == side
    check_refused(lambda: Blockwise(0), ">= 1")
