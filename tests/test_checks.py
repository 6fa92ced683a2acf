"""What the checks at the door take and refuse, whatever the room that calls them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused, each_of

from meanfield._checks import (
    check_callable,
    check_cloud,
    check_finite,
    check_instance,
    check_instances,
    check_integer,
    check_key,
    check_positive,
    check_scalar,
    check_weights,
)
from meanfield.attention import Softmax
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import AbstractGeometry, Sphere
from meanfield.solve._simulate import check_start

HUGE = 10**400
GEOMETRY = AbstractGeometry, "a geometry", "pass Sphere(3)"


@pytest.mark.parametrize(
    "value", [4, np.int64(4), np.float64(4), np.float32(4), jnp.asarray(4), jnp.asarray(4.0)]
)
def test_numbers_of_every_kind_are_numbers(value):
    assert check_scalar(value, "beta") == 4
    assert float(Softmax(value).beta) == 4


@each_of(
    [
        ("True as a number", lambda: check_scalar(True, "beta"), "pass a number"),
        ("a NumPy truth value", lambda: check_scalar(np.True_, "beta"), "pass a number"),
        ("complex", lambda: check_scalar(1j, "beta"), ".astype(float)"),
        ("past all floats", lambda: check_scalar(HUGE, "beta"), "pass a smaller one"),
        ("text", lambda: check_scalar("2.0", "beta"), "jax.numpy.asarray"),
        ("a class as a number", lambda: check_scalar(float, "beta"), "the class float"),
        ("True as a count", lambda: check_integer(True, "d"), "pass d=1"),
        ("a huge count", lambda: check_integer(HUGE, "d"), "<= 2147483647, got a huge integer"),
        ("a half", lambda: check_integer(2.5, "d", 2), "got 2.5; pass d=2"),
        ("an array as a count", lambda: check_integer(jnp.ones(2), "d"), "shape [2]"),
        ("a class as a count", lambda: check_integer(int, "d"), "the class int"),
        ("a class", lambda: check_instance(Sphere, *GEOMETRY), "make one, as in Sphere(...)"),
        ("another class", lambda: check_instance(Softmax, *GEOMETRY), "got the class Softmax"),
        ("another object", lambda: check_instance(2.0, *GEOMETRY), "got float; pass Sphere(3)"),
        ("one object for many", lambda: check_instances(Sphere(3), *GEOMETRY), "pass Sphere(3)"),
        ("no objects", lambda: check_instances([], *GEOMETRY), "got an empty one"),
        ("text for objects", lambda: check_instances("abc", *GEOMETRY), "got str"),
        ("no cloud", lambda: check_cloud(jnp.ones(3)), "one point a row"),
        ("an empty cloud", lambda: check_cloud(jnp.ones((0, 3))), "got [0, 3]"),
        ("a cloud of truth values", lambda: check_cloud(jnp.ones((2, 3), bool)), ".astype(float)"),
        ("no function", lambda: check_callable(2.0, "potential", "pass V"), "got 2.0; pass V"),
        ("a class to call", lambda: check_callable(Sphere, "potential", "pass V"), "class Sphere"),
        ("a seed", lambda: check_key(0), "pass key=jax.random.key(0)"),
        ("half precision", lambda: check_finite(jnp.ones(2, jnp.float16)), "jax.numpy.float32"),
        ("bfloat16", lambda: check_finite(jnp.ones(2, jnp.bfloat16)), "got bfloat16"),
    ]
)
def test_what_is_no_number_no_object_and_no_function_is_refused(call, remedy):
    check_refused(call, remedy)


def test_half_precision_is_refused_under_jit_too():
    check_refused(lambda: jax.jit(check_finite)(jnp.ones(2, jnp.float16)), "float32 or float64")


def test_an_object_of_one_of_several_classes_is_taken():
    assert check_instance(2.0, int | float, "a number", "pass 1.0") == 2.0


def test_both_kinds_of_keys_are_keys():
    for key in (jax.random.key(0), jax.random.PRNGKey(0)):
        assert check_key(key) is key


def test_numbers_beyond_a_precision_are_refused_without_a_warning():
    with jax.enable_x64(False):
        check_refused(lambda: check_positive(1e300, "tol", "pass tol=1.0"), "finite numbers in tol")


def test_looks_at_known_values_end_in_no_warning():
    """Neither at the ends of the range of numbers, nor for who has all floating-point errors raised."""
    most, least = (float(bound) for bound in (np.finfo(float).max, np.finfo(float).tiny))
    near = jnp.eye(3) + least * (1 - jnp.eye(3))  # its squares underflow
    with np.errstate(all="raise"):
        assert Sphere(3).check(near) is near
        _, ts = check_start(AttentionFlow(Sphere(3), Softmax(1.0)), near, [-most, most])
        np.testing.assert_array_equal(ts, [-most, most])
        check_refused(lambda: check_weights(jnp.full(2, most), 2), "divide by w.sum()")
