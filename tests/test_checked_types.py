"""Arguments and results of the wrong type or shape are found, at the first call and later."""

import numpy as np
import pytest
from checked_types import when_called
from jaxtyping import Float, TypeCheckError, jaxtyped


@jaxtyped(typechecker=when_called)
def rows(
    x: Float[np.ndarray, "n d"], keep: int, *, wrong: bool = False
) -> Float[np.ndarray, "k d"]:
    return x[:keep].T if wrong else x[:keep]


@jaxtyped(typechecker=when_called)
def same(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return x if x.size == y.size < 5 else x[1:]


@pytest.mark.parametrize("calls", [1, 3])
def test_wrong_types_and_shapes_are_found(calls):
    x = np.ones((4, 3))
    for _ in range(calls):
        assert rows(x, 2).shape == (2, 3)
        for args in [(x[0], 2), (x, 2.0), (x.astype(int), 2), (None, 2)]:
            with pytest.raises(TypeCheckError, match="checking the parameters"):
                rows(*args)
        with pytest.raises(TypeCheckError, match="checking the return value"):
            rows(x, 2, wrong=True)


def test_a_result_is_held_against_the_shapes_of_arguments():
    assert same(np.ones(3), np.ones(3)).size == 3
    with pytest.raises(TypeCheckError, match="parameters"):
        same(np.ones(3), np.ones(4))
    with pytest.raises(TypeCheckError, match="return value"):
        same(np.ones(6), np.ones(6))
