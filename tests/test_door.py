"""The door of public names: kinds of arguments, by their annotations."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from meanfield._door import AbstractChecked, check_for, door
from meanfield._typing import Key, Points, Scalar, Weights
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
    for wrong in ((Sphere,), ("sphere",), (Sphere(3), 1)):
        with pytest.raises(ValueError, match="expected"):
            Thing(*wrong)


def test_what_is_not_known_is_left_alone():
    assert check_for(dict[str, int]) is None
    assert check_for(int | tuple[int, ...]) is None
