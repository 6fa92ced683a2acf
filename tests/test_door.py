"""The door of public names: kinds of arguments, by their annotations."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.typing import ArrayLike
from jaxtyping import Float, PyTree
from refusals import check_refused

from meanfield._door import AbstractChecked, check_for, door
from meanfield._typing import Key, Labels, Points, Scalar, Weights
from meanfield.geometry import AbstractGeometry, Sphere


@door
def moved(
    x: Points,
    w: Weights | None = None,
    h: Scalar | float = 0.1,
    steps: int = 1,
    twice: bool = False,
    geometry: AbstractGeometry | None = None,
    f: Callable | None = None,
    key: Key | None = None,
):
    return x


X = jnp.ones((4, 3))
WRONG = {
    "x": [None, "abc", Sphere, Sphere(3), 1.0, X[0], X[None], X[:0], X.astype(complex), X > 0,
          [[1.0], [2.0, 3.0]]],
    "w": ["abc", X, 1.0, jnp.array([True])],
    "h": [None, "abc", True, 1j, float("nan"), 10**400, X, Sphere(3)],
    "steps": [1.0, True, "1", None, 10**400, X],
    "twice": [1, None, "yes", X],
    "geometry": [Sphere, "sphere", 3, X, eqx.nn.Identity()],
    "f": [3, Sphere, "f", X],
    "key": [0, "key", X, jax.random.split(jax.random.key(0))],
}  # fmt: skip


@pytest.mark.parametrize(
    "name, value", [(name, value) for name, wrong in WRONG.items() for value in wrong]
)
def test_wrong_kinds_are_refused_in_a_sentence(name, value):
    with pytest.raises(ValueError, match=r"(?s)^expected .*; .*\.$") as caught:
        moved(**{"x": X, name: value})
    assert "\n" not in str(caught.value)
    assert name in str(caught.value) or name == "key"


def test_right_kinds_pass():
    key = jax.random.key(0)
    got = moved(np.ones((4, 3)), None, np.float32(1), np.int64(2), np.bool_(1), Sphere(3), len, key)
    np.testing.assert_array_equal(got, X)
    assert moved([[1.0, 2.0]], h=jnp.array(1.0), key=jax.random.PRNGKey(0)).shape == (1, 2)
    jax.jit(moved)(X, h=1.0)  # traced values are what they are annotated to be


def test_fields_are_checked_too():
    class Thing(AbstractChecked):
        geometry: AbstractGeometry
        twice: bool = False

    Thing(Sphere(3))
    for wrong in ((Sphere,), ("sphere",), (X,), (Sphere(3), 1), (Sphere(3), X)):
        check_refused(lambda wrong=wrong: Thing(*wrong), "expected")


class Pair(NamedTuple):
    low: float
    high: float


BOTH = Pair(0.0, 1.0)


@door
def held(
    sides: float | tuple[float, ...] = 1.0,
    clouds: Points | Sequence[Points] | None = None,
    laws: Sequence[AbstractGeometry] = (),
    observe: dict[str, Callable] | None = None,
    labels: Labels | None = None,
    span: tuple[float, int] = (0.0, 1),
    any_axes: ArrayLike | None = None,
    table: Float[np.ndarray, " n"] | None = None,
    pair: Pair = BOTH,
    path: str | Path = "here",
    cost: AbstractGeometry | Callable | None = None,
    *more: int,
):
    return sides, clouds, laws, observe, labels, span, any_axes, table, pair, path, cost


HELD_WRONG = {
    "sides": [None, "ab", True, (1.0, "ab"), [True], X],
    "clouds": ["ab", 3, [X, "ab"], [X, X[0]], X[0], Sphere],
    "laws": [None, Sphere(3), [Sphere], [Sphere(3), X], "ab"],
    "observe": [len, {"a": 3}, {1: len}, [len], {"a": Sphere}],
    "labels": [X[:, 0], [1.5], jnp.zeros((2, 2), int), "ab"],
    "span": [1.0, (1.0,), (1.0, 2.0), (1.0, 2, 3), "ab"],
    "any_axes": [True, 1j, "a", Sphere(3), X > 0, X.astype(jnp.float16), X[:0]],
    "table": [X, "a", [[1.0]], Sphere],
    "pair": [(0.0, 1.0), 1, Pair, None],
    "path": [3, None, Sphere, X],
    "cost": [3, "a", Sphere, X],
}  # fmt: skip


@pytest.mark.parametrize(
    "name, value", [(name, value) for name, wrong in HELD_WRONG.items() for value in wrong]
)
def test_members_of_lists_and_unions_are_held_too(name, value):
    with pytest.raises(ValueError, match=r"(?s)^expected .*; .*\.$"):
        held(**{name: value})


def test_right_members_pass():
    labels = np.array([0, 1])
    made = held((1, 2.5), [X, [[1.0]]], [Sphere(3)], {"n": len}, labels, (0.5, 2), X[None], [1.0])
    assert made[0] == (1, 2.5)
    assert [cloud.shape for cloud in made[1]] == [(4, 3), (1, 1)]
    assert made[2] == [Sphere(3)] and made[3] == {"n": len} and made[5] == (0.5, 2)
    assert made[6].shape == (1, 4, 3) and isinstance(made[7], np.ndarray)
    assert held(path=Path("a"), cost=Sphere(3), pair=Pair(1.0, 2.0))[-2:] == (Path("a"), Sphere(3))
    assert held(clouds=X)[1].shape == (4, 3) and held(cost=len)[-1] is len


def test_what_is_not_known_is_left_alone():
    assert check_for(Any) is None
    assert check_for(object) is None
    assert check_for(PyTree[Points]) is None
    assert check_for(int | type[int]) is None
