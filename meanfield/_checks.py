"""Checks at the door: bad input is refused in one sentence that names the remedy."""

from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, TypeVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from ._known import all_finite, all_known, at_hand, at_once as at_once, is_concrete as is_concrete

_T = TypeVar("_T")
LARGEST = 2**31 - 1
"""The largest integer that is taken for a count: what XLA can index."""


def tolerance(dtype) -> float:
    """The rounding that a computation of a few thousand operations may leave, by dtype."""
    return float(jnp.finfo(dtype).eps) * 2.0**12


def guard(x: PyTree[Array], ok, message: str) -> PyTree[Array]:
    """`x`, or a ValueError if `ok` is known to be false.

    A traced value passes: objects are built inside compiled loops too, where a check at each step
    would cost more than the step. What enters a solver is checked there, by `guard_at_run_time`.
    """
    if is_concrete(ok) and not bool(ok):
        raise ValueError(message)
    return x


def guard_at_run_time(x: PyTree[Array], ok, message: str) -> PyTree[Array]:
    """`x`, or an error if `ok` is false: now where values are known, at run time where traced."""
    return guard(x, ok, message) if is_concrete(ok) else raise_at_run_time(x, ok, message)


def raise_at_run_time(x: PyTree[Array], ok, message: str) -> PyTree[Array]:
    """`x`, or an error with this message once `ok` turns out to be false.

    It hangs on a zero that is added to x: an error that hung on x itself would gather on one device
    what is spread over many. Where EQX_ON_ERROR=off leaves out errors, which call the host, x is NaN.
    """
    zero = eqx.error_if(jnp.zeros(()), jnp.logical_not(ok), message)

    def tied(leaf: Array) -> Array:
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            return leaf | (zero > 0) if leaf.dtype == bool else leaf + zero.astype(leaf.dtype)
        return jnp.where(ok, leaf, jnp.nan) + zero.astype(leaf.dtype)

    return jax.tree.map(tied, x)


def check_dimension(d, least: int = 1) -> int:
    """A dimension as an int that is at least `least`."""
    return check_integer(d, "d", least)


def check_integer(value, name: str, least: int = 1) -> int:
    """`value` as an int from `least` to 2^31 - 1; truth values and whole floats are refused."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= value <= LARGEST:
        bounds = f">= {least}" if not whole or value < least else f"<= {LARGEST}"
        raise ValueError(
            f"expected {name} to be an integer {bounds}, got {shown(value)}; pass {name}={least}."
        )
    return int(value)


def shown(value: Any) -> str:
    """How an error shows what it got: a class by its name, anything long cut short, in one line."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a huge integer"
    if shape := getattr(value, "shape", None):
        return f"an array of shape {list(shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{type(value).__name__}"


def check_choice(value: _T, known: Iterable[_T], name: str) -> _T:
    """`value`, if it is among those that are known."""
    known = [*known]
    if value not in known:
        raise ValueError(f"expected {name} among {known}, got {value!r}; choose from these.")
    return value


def check_instance(value: Any, kind: type[_T] | UnionType, name: str, remedy: str) -> _T:
    """`value`, if it is an object of this class, or of one of a union, and not the class itself."""
    if isinstance(value, type) and issubclass(value, kind):
        made = f"{value.__name__}(...)"
        raise ValueError(
            f"expected {name}, got the class {value.__name__}; make one, as in {made}."
        )
    if not isinstance(value, kind):
        got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise ValueError(f"expected {name}, got {got}; {remedy}.")
    return cast(_T, value)


def check_instances(values: Any, kind: type[_T], name: str, remedy: str) -> list[_T]:
    """`values` as a list of at least one object of this class."""
    try:
        values = [*values]
    except TypeError as error:
        raise ValueError(f"expected a list of {name}, got {shown(values)}; {remedy}.") from error
    if not values:
        raise ValueError(f"expected a list of {name}, got an empty one; {remedy}.")
    return [check_instance(value, kind, name, remedy) for value in values]


def check_callable(value: Any, name: str, remedy: str) -> Callable[..., Any]:
    """`value`, if it is a function: no class and nothing that cannot be called."""
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"expected a function for {name}, got {shown(value)}; {remedy}.")
    return value


def check_key(key: Any, name: str = "key") -> Any:
    """`key`, if it is one random key, of jax's new kind or of the old; a seed is none."""
    if not is_key(key):
        raise ValueError(
            f"expected one random key, got {shown(key)}; pass {name}=jax.random.key(0)."
        )
    return key


def check_known(values: Any, what: str, remedy: str) -> None:
    """ValueError where a number of the tree is traced."""
    if not all_known(values):
        raise ValueError(f"expected {what} whose values are known, got traced ones; {remedy}.")


def check_draws(key: Any, n) -> tuple[Any, int]:
    """One random key, and the number of points to draw with it."""
    return check_key(key), check_integer(n, "n")


def is_key(key: Any) -> bool:
    """Whether it is one key, of the new kind or of the old."""
    if not isinstance(key, jax.Array | np.ndarray):
        return False
    old = key.shape == (2,) and key.dtype == jnp.uint32
    return old or (key.shape == () and jnp.issubdtype(key.dtype, jax.dtypes.prng_key))


def as_array(x, name: str) -> Array:
    """`x` as an array, or a ValueError where it is no array of numbers."""
    if isinstance(x, type | bool | np.bool_ | str):  # a class or text may pass for an array
        raise ValueError(
            f"expected an array of numbers for {name}, got {shown(x)}; pass what "
            "jax.numpy.asarray takes."
        )
    try:
        return jnp.asarray(x)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        remedy = "pass what jax.numpy.asarray takes"
        if isinstance(x, tuple):  # such as directions and radii
            remedy = "of a state of several parts pass one, state[0]"
        raise ValueError(
            f"expected an array of numbers for {name}, got {shown(x)}, which is none; {remedy}."
        ) from error


def check_points(x, d: int, name: str = "x") -> Array:
    """`x` as finite floating-point points of shape [n, d] with n >= 1."""
    x = as_array(x, name)
    if x.ndim != 2 or x.shape[1] != d:
        raise ValueError(
            f"expected {name} of shape [n, {d}], got {list(x.shape)}; "
            f"put one point a row, with d = {d} columns."
        )
    if x.shape[0] == 0:
        raise ValueError(f"expected at least one point in {name}, got an empty cloud; pass n >= 1.")
    return check_finite(x, name)


def check_cloud(x, name: str = "x") -> Array:
    """`x` as floating-point points of shape [n, d] with n >= 1 and any d: traced ones are checked too.

    Numbers may be NaN or infinite: `check_points` looks at these.
    """
    x = check_precision(as_array(x, name), name)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"expected {name} of shape [n, d], got {list(x.shape)}; put one point a row."
        )
    return x


def check_finite(x, name: str = "x") -> Array:
    """`x` as an array of finite floating-point numbers, in float32 or float64."""
    message = (
        f"expected finite numbers in {name}, got NaN or infinity; remove or replace those entries."
    )
    with at_once(x):
        x = check_precision(as_array(x, name), name)
        return guard(x, all_finite(x), message)


def check_precision(x: Array, name: str = "x") -> Array:
    """`x`, if its numbers are in float32 or float64: traced ones are checked too.

    Half precision has 3 digits (bfloat16: 2), which no tolerance here reaches.
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"expected real floating-point numbers in {name}, got {x.dtype}; cast with .astype(float)."
        )
    if x.dtype.itemsize < 4:
        raise ValueError(
            f"expected {name} in float32 or float64, got {x.dtype}, which has 2 or 3 digits; "
            "cast with .astype(jax.numpy.float32)."
        )
    return x


def check_weights(w, n: int, name: str = "w") -> Float[Array, " n"]:
    """`w` as n finite, nonnegative weights of sum 1: of traced ones, only the shape is known."""
    w = as_array(w, name)
    if w.shape != (n,):
        raise ValueError(f"expected {name} of shape [{n}], got {list(w.shape)}; pass one a point.")
    if not is_concrete(w):
        return w
    message = f"expected nonnegative {name}, got a negative weight; clip at 0."
    with at_once(w), np.errstate(all="ignore"):
        w = check_finite(w, name)
        w = guard(w, (at_hand(w)[0] >= 0).all(), message)
        close = abs(at_hand(w)[0].sum() - 1) <= tolerance(w.dtype)
        return guard(w, close, f"expected {name} of sum 1; divide by {name}.sum().")


def check_nonnegative(value, name: str) -> Array:
    """`value` as a finite scalar that is at least 0."""
    message = f"expected {name} >= 0, got a negative number; pass {name}=0."
    with at_once(value):
        value = check_scalar(value, name)
        return guard(value, value >= 0, message)


def check_positive(value, name: str, remedy: str = "leave it out for a default") -> Array:
    """`value` as a finite scalar that is greater than 0."""
    with at_once(value):
        value = check_scalar(value, name)
        return guard(value, value > 0, f"expected {name} > 0, got {value}; {remedy}.")


def check_scalar(value, name: str) -> Float[Array, ""]:
    """`value` as one finite floating-point number; whole numbers of any kind are taken as such."""
    with at_once(value):
        value = as_number(value, name)
        if value.ndim != 0:
            raise ValueError(
                f"expected one number for {name}, got shape {list(value.shape)}; use vmap."
            )
        return check_finite(value, name)


def as_number(value, name: str) -> Array:
    """`value` as an array, whole numbers of any kind as floating-point ones; no truth value."""
    if isinstance(value, bool | np.bool_):
        raise ValueError(f"expected one number for {name}, got {value}; pass a number.")
    if isinstance(value, int | np.integer) and abs(int(value)) > LARGEST**8:
        raise ValueError(
            f"expected {name} within the range of floating-point numbers, got a huge integer; "
            "pass a smaller one."
        )
    if isinstance(value, int | float | np.integer):
        with np.errstate(over="ignore"):  # beyond the range of the precision it is infinite
            return jnp.asarray(value, float)
    array = as_array(value, name)
    whole = array.ndim == 0 and jnp.issubdtype(array.dtype, jnp.integer)
    return array.astype(float) if whole else array


def check_vector(value, name: str) -> Float[Array, " d"]:
    """`value` as a finite vector [d]."""
    value = check_finite(value, name)
    if value.ndim != 1:
        raise ValueError(
            f"expected {name} of shape [d], got {list(value.shape)}; pass one number a coordinate."
        )
    return value


def check_direction(mean, d: int, name: str = "mean") -> Float[Array, " d"]:
    """`mean` as a unit vector [d]."""
    mean = check_finite(mean, name)
    if mean.shape != (d,):
        raise ValueError(
            f"expected {name} of shape [{d}], got {list(mean.shape)}; pass a unit vector."
        )
    off = jnp.abs(jnp.linalg.norm(mean) - 1)
    message = f"expected a unit vector for {name}; divide it by its norm."
    return guard(mean, off <= tolerance(mean.dtype), message)
