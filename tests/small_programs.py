"""Programs of a few operations, of which eager code makes thousands, computed by NumPy, not compiled.

Only what NumPy computes to the last bit as XLA does: moves and comparisons in any number, and one
operation that rounds, for two might be fused.
"""

import math
import weakref
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
import small_windows
from jax._src import pjit
from jax._src.interpreters import pxla
from jax._src.sharding_impls import UNSPECIFIED

MOST_STEPS = 40
"""Operations of a program that is computed here."""
MOST_NUMBERS = 4096
"""Numbers in each of its arrays."""
MOST_TERMS = 32
"""Terms of a sum, which is taken one by one; XLA splits longer ones."""
INVERTS = [*map(int, version("jaxlib").split(".")[:2])] < [0, 12]
"""Whether what is divided by one number for many is multiplied by its inverse, as XLA did."""
DTYPES = [np.dtype(kind) for kind in ("bool", "int32", "int64", "float32", "float64")]


def flushed(x):
    """Numbers too small to be normal are zeros of their sign, as XLA sets processors to have it."""
    if x.dtype.kind != "f":
        return x
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def of_normal(function: Callable) -> Callable:
    """A function of numbers that are normal or 0."""
    return lambda *x, **_: flushed(np.asarray(function(*map(flushed, x))))


def plain(function: Callable) -> Callable:
    """A function that moves numbers or bits."""
    return lambda *x, **_: function(*x)


def over(function: Callable) -> Callable:
    """A function over axes."""
    return lambda x, *, axes, **_: function(flushed(x), axis=axes)


def chosen(function: Callable) -> Callable:
    """The place along an axis."""
    return lambda x, *, axes, **_: function(flushed(x), axis=axes[0])


def reduce_sum(x, *, axes, **_):
    """From 0 on, so that no sum is -0."""
    return 0 + np.take(np.cumsum(flushed(x), axis=axes[0], dtype=x.dtype), -1, axis=axes[0])


def convert(x, *, new_dtype, **_):
    """Numbers of which the digits that are kept are those of none that is normal are 0."""
    x = flushed(x)
    if x.dtype == np.float64 and new_dtype == np.float32:
        digits = np.abs((x * 2.0**60).astype(np.float32))
        x = np.where(digits < 2.0 ** (60 - 126), np.copysign(0.0, x), x)
    return x.astype(new_dtype)


def divided(x, y):
    """By one number for many: times its inverse."""
    return flushed(flushed(x) * flushed(1 / flushed(y)))


ROUNDING: dict[str, Callable] = {
    "add": of_normal(np.add),
    "sub": of_normal(np.subtract),
    "mul": of_normal(np.multiply),
    "div": of_normal(np.divide),
    "sqrt": of_normal(np.sqrt),
    "square": of_normal(np.square),
    "integer_pow": of_normal(np.square),
    "reduce_sum": reduce_sum,
    "convert_element_type": convert,
    "scatter-add": lambda *x, **how: small_windows.scatter(*x, **how, add=of_normal(np.add)),
}
EXACT: dict[str, Callable] = {
    "abs": plain(np.abs),
    "neg": plain(np.negative),
    "and": plain(np.bitwise_and),
    "or": plain(np.bitwise_or),
    "not": plain(np.invert),
    "is_finite": plain(np.isfinite),
    "copy": plain(np.asarray),
    "copy_p": plain(np.asarray),
    "eq": of_normal(np.equal),
    "ne": of_normal(np.not_equal),
    "lt": of_normal(np.less),
    "le": of_normal(np.less_equal),
    "gt": of_normal(np.greater),
    "ge": of_normal(np.greater_equal),
    "max": of_normal(np.maximum),
    "min": of_normal(np.minimum),
    "reduce_max": over(np.max),
    "reduce_min": over(np.min),
    "reduce_and": over(np.all),
    "reduce_or": over(np.any),
    "select_n": plain(lambda which, no, yes: np.where(which, yes, no)),
    "broadcast_in_dim": small_windows.broadcast_in_dim,
    "slice": small_windows.slice_,
    "dynamic_slice": small_windows.dynamic_slice,
    "iota": small_windows.iota,
    "reshape": lambda x, *, new_sizes, **_: x.reshape(new_sizes),
    "squeeze": lambda x, *, dimensions: np.squeeze(x, axis=dimensions),
    "expand_dims": lambda x, *, dimensions: np.expand_dims(x, dimensions),
    "transpose": lambda x, *, permutation: np.transpose(x, permutation),
    "concatenate": lambda *x, dimension: np.concatenate(x, axis=dimension),
    "stack": lambda *x, axis: np.stack(x, axis=axis),
    "rev": lambda x, *, dimensions: np.flip(x, dimensions),
    "argmax": chosen(np.argmax),
    "argmin": chosen(np.argmin),
    "gather": small_windows.gather,
    "scatter": lambda *x, **how: small_windows.scatter(*x, **how),
    "pad": small_windows.pad,
}


def within(step):
    """The program that a step calls, if it does."""
    return step.params["jaxpr"] if step.primitive.name == "jit" else None


def steps_of(jaxpr):
    """The operations of a program, and of those within it."""
    for step in jaxpr.eqns:
        inner = within(step)
        yield from steps_of(inner.jaxpr) if inner else (step,)


def is_plain(variable) -> bool:
    """Whether a variable is a small array of real numbers."""
    aval = variable.aval
    return getattr(aval, "dtype", None) in DTYPES and aval.size <= MOST_NUMBERS


def is_by_one(division) -> bool:
    """Whether one number divides many, or is written in the program: some XLA multiply by its inverse."""
    divisor = division.invars[1]
    return hasattr(divisor, "val") or divisor.aval.shape != division.outvars[0].aval.shape


def is_told(division) -> bool:
    """Whether it is known how XLA divides: not where one number alone is spread over an array of one."""
    divisor, out = division.invars[1], division.outvars[0].aval
    spread = hasattr(divisor, "val") or divisor.aval.size < out.size
    return not is_by_one(division) or (INVERTS and spread)


def is_known(step) -> bool:
    """Whether NumPy computes this operation, to the last bit."""
    name, params = step.primitive.name, step.params
    if name not in ROUNDING and name not in EXACT:
        return False
    if not all(map(is_plain, (*step.invars, *step.outvars))):
        return False
    kinds = [v.aval.dtype.kind for v in step.invars]
    if name.startswith("reduce_"):  # what is over one number leaves it as it is
        lengths = [step.invars[0].aval.shape[k] for k in params["axes"]]
        if math.prod(lengths) < 2:
            return False
    match name:
        case "integer_pow":
            return params["y"] == 2
        case "gather":
            return small_windows.is_taken(params)
        case "scatter" | "scatter-add":
            return small_windows.is_written(params, step.invars[1].aval)
        case "pad":
            return small_windows.is_widened(params)
        case "select_n":
            return len(kinds) == 3 and kinds[0] == "b"
        case "div":
            return "f" in kinds and is_told(step)
        case "reduce_sum":
            return kinds == ["f"] and len(lengths) == 1 and lengths[0] <= MOST_TERMS
        case "reduce_and" | "reduce_or":  # of whole numbers they are those of their bits
            return kinds == ["b"]
        case "convert_element_type":  # fractions become whole numbers as each processor likes
            return "f" not in kinds or step.outvars[0].aval.dtype.kind == "f"
    return True


def rounds(step) -> bool:
    """Whether a compiler may join a step with another that rounds, and round once."""
    name, kind = step.primitive.name, step.outvars[0].aval.dtype.kind
    return name in ROUNDING and kind == "f" and name != "convert_element_type"


def rounded_once(names: list[str]) -> bool:
    """Whether no two of these steps can be joined: one, or a sum that is then divided."""
    return len(names) <= 1 or names == ["reduce_sum", "div"]


def is_small(jaxpr) -> bool:
    """Whether a program is computed here."""
    steps = list(steps_of(jaxpr.jaxpr))
    return (
        len(steps) <= MOST_STEPS
        and not jaxpr.effects
        and all(map(is_plain, (*jaxpr.jaxpr.invars, *jaxpr.jaxpr.outvars)))
        and all(map(is_known, steps))
        and rounded_once([step.primitive.name for step in steps if rounds(step)])
        and not {"div", "broadcast_in_dim"} <= {step.primitive.name for step in steps}
    )


def computed(jaxpr, inputs) -> list:
    """What a program returns, by NumPy."""
    values = dict(zip(jaxpr.jaxpr.invars, inputs, strict=True))
    values |= dict(zip(jaxpr.jaxpr.constvars, map(np.asarray, jaxpr.consts), strict=True))

    def read(atom):
        return np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else values[atom]

    for step in jaxpr.jaxpr.eqns:
        given, inner = list(map(read, step.invars)), within(step)
        out = computed(inner, given) if inner else [one_step(step, given)]
        values.update(zip(step.outvars, out, strict=True))
    return list(map(read, jaxpr.jaxpr.outvars))


def one_step(step, inputs):
    name = step.primitive.name
    rule = ROUNDING.get(name) or EXACT[name]
    if name == "div" and is_by_one(step):
        rule = divided
    return np.asarray(rule(*inputs, **step.params), step.outvars[0].aval.dtype)


def is_at_home(x) -> bool:
    """Whether an argument is a number, or an array that nobody put on a device."""
    if isinstance(x, jax.Array):
        return type(x).__name__ == "ArrayImpl" and not x._committed
    return isinstance(x, np.ndarray | np.generic | bool | int | float)


def is_ordinary(how: dict) -> bool:
    """Whether a program is compiled without wishes."""
    shardings = (*how["in_shardings"], *how["out_shardings"])
    return (
        all(one is UNSPECIFIED for one in shardings)
        and not any(how["donated_invars"])
        and how["ctx_mesh"].empty
        and not how["compiler_options_kvs"]
    )


def is_default() -> bool:
    """Whether arrays go to the first device, and NaN and infinity are let through."""
    watched = jax.config.jax_debug_nans or jax.config.jax_debug_infs
    return jax.config.jax_default_device is None and not watched


def placed(x, aval):
    """A NumPy array as an array of JAX on the first device, with no memory of others."""
    device = jax.devices()[0]
    where = jax.sharding.SingleDeviceSharding(device)
    return pxla.batched_device_put(aval, where, [np.array(x, order="C")], [device], False)


class Small:
    """In place of the function by which JAX compiles a program and runs it for the first time."""

    def __init__(self, compiled: Callable):
        self.compiled, self.known = compiled, weakref.WeakKeyDictionary()

    def __call__(self, *args, jaxpr, **how) -> Any:
        if jaxpr not in self.known:
            self.known[jaxpr] = is_small(jaxpr) and is_ordinary(how)
        if not (self.known[jaxpr] and is_default() and all(map(is_at_home, args))):
            return self.compiled(*args, jaxpr=jaxpr, **how)
        typed = [np.asarray(x, a.dtype) for x, a in zip(args, jaxpr.in_avals, strict=True)]
        with np.errstate(all="ignore"):
            out = computed(jaxpr, typed)
        return [placed(x, a) for x, a in zip(out, jaxpr.out_avals, strict=True)], None, None, []


def compute_small_programs():
    """Small programs are computed by NumPy from here on, where this version of JAX is as expected."""
    if hasattr(pjit, "_pjit_call_impl_python"):
        pjit._pjit_call_impl_python = Small(pjit._pjit_call_impl_python)
