"""Contracts on numbers that every call has to keep: precision, no mass, collapse, NaN under jit."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from catalogue import Entry
from catalogue.entry import ASIDE

# How well an iteration came off, which rounding decides, and what depends on it.
UNSTEADY = (
    "error",
    "residual",
    "iterations",
    "tol",
    "steps",
    "stats",
    "bias",
    "duplicates",
    "result",
)
CLOSE = 1e-6
"""Inner iterations stop at 1e-6 to 1e-9 of a marginal: a massless point may change when they do."""


def numbers(result: Any) -> dict[str, np.ndarray]:
    """The floating-point arrays of a result by their place, without what tells of iterations."""
    rows = jax.tree_util.tree_leaves_with_path(result)
    named = {jax.tree_util.keystr(path): leaf for path, leaf in rows}
    return {
        name: np.asarray(leaf)
        for name, leaf in named.items()
        if eqx.is_inexact_array_like(leaf) and not any(word in name for word in UNSTEADY)
    }


def cast(tree: Any, dtype) -> Any:
    """A tree with its floating-point arrays in this dtype."""
    return jax.tree.map(lambda a: jnp.asarray(a, dtype) if eqx.is_inexact_array(a) else a, tree)


def owner(entry: Entry) -> Any:
    """The object whose method the entry calls, or None."""
    return getattr(entry.call, "__self__", None)


def calling(entry: Entry, **changed: Any) -> Any:
    """The result with some arguments changed."""
    return entry.call(**{**entry.arguments, **changed})


def in_dtype(entry: Entry, dtype) -> Any:
    """The result of the same call with every array in this dtype, those of the object too."""
    call = entry.call
    if owner(entry) is not None and not isinstance(owner(entry), type):
        call = getattr(cast(owner(entry), dtype), call.__name__)
    return call(**cast(entry.arguments, dtype))


def size(a: np.ndarray) -> float:
    """The largest finite number, 1 at least."""
    finite = np.abs(a[np.isfinite(a)])
    return max(1.0, float(finite.max())) if finite.size else 1.0


def apart(one: Any, other: Any) -> float:
    """The largest difference between the numbers of two results, relative to their size."""
    a, b = numbers(one), numbers(other)
    if a.keys() != b.keys():
        return np.inf
    worst = 0.0
    for name, left in a.items():
        right = b[name]
        if left.shape != right.shape or (np.isnan(left) != np.isnan(right)).any():
            return np.inf
        equal = (left == right) | np.isnan(left)
        with np.errstate(invalid="ignore"):  # of what is infinite in both
            gap = np.abs(np.where(equal, 0, left.astype(float) - right.astype(float)))
        worst = max(worst, float(np.max(gap, initial=0)) / size(right))
    return worst


def refused(error: Exception) -> bool:
    """Whether it is a sentence of ours that says what was expected."""
    return str(error).startswith("expected ")


def single(entry: Entry) -> Iterator[tuple[str, str]]:
    """In float32, what float64 gives, to a stated multiple of epsilon; or a refusal."""
    if entry.single is None:
        return
    try:
        result = in_dtype(entry, jnp.float32)
    except ValueError as error:
        if not refused(error):
            yield "float32", f"{type(error).__name__}: {str(error)[:100]}"
        return
    wide = [name for name, leaf in numbers(result).items() if leaf.dtype != np.float32]
    # Where all that is passed are numbers of Python, the result is in the default precision.
    given = [a for a in jax.tree.leaves((owner(entry), entry.arguments)) if eqx.is_inexact_array(a)]
    if wide and given and not entry.makes:
        yield "dtype", f"float32 in, {wide[0] or 'the result'} in another precision out"
    units = apart(result, entry.value) / float(np.finfo(np.float32).eps)
    if units > entry.single:
        yield "float32", f"off by {units:.3g} epsilon, allowed {entry.single:.3g}"


def half(entry: Entry) -> Iterator[tuple[str, str]]:
    """In float16 and bfloat16: a refusal, at the latest when traced."""
    kinds = [entry.kind(name) for name in entry.args]
    if not {"points", "array"} & {*kinds} or entry.light or entry.room in ("viz", "latents"):
        return
    for dtype in (jnp.float16, jnp.bfloat16):
        try:
            with jax.numpy_dtype_promotion("standard"):
                in_dtype(entry, dtype)
        except Exception as error:
            if not refused(error):
                yield dtype.__name__, f"{type(error).__name__}: {str(error)[:100]}"
            continue
        yield dtype.__name__, "taken, with 2 or 3 digits"


def places(x: jnp.ndarray) -> dict[str, jnp.ndarray]:
    """Where a point without mass may stand: on another, beside it, far away."""
    spherical = x.ndim == 2 and bool(jnp.allclose(jnp.linalg.norm(x, axis=-1), 1))
    beside, far = x[:1] + 1e-3, 100 * x[:1] + 10
    if spherical:
        beside, far = beside / jnp.linalg.norm(beside), -x[:1]
    elif x.ndim == 1:
        far = x[:1] + 2.5  # an angle, or a place on a line
    return {"coincident": x[:1], "near": beside, "far": far}


def massless(entry: Entry) -> Iterator[tuple[str, str]]:
    """Points of mass zero, wherever they stand, change no number and no gradient."""
    for points, weights in entry.clouds:
        x, w = entry.arguments[points], entry.arguments[weights]
        right = _with_gradient(entry, points, x)
        for place, point in places(x).items():
            more = {points: jnp.concatenate([x, point]), weights: jnp.append(w, 0.0)}
            try:
                found = _with_gradient(
                    entry, points, more[points], right[0], **{weights: more[weights]}
                )
            except Exception as error:
                yield f"{points} {place}", f"{type(error).__name__}: {str(error)[:100]}"
                continue
            gap = apart((found[0], found[1][: len(x)]), right)
            if gap > CLOSE:
                yield f"{points} {place}", f"changes the result or its gradient by {gap:.3g}"


def _with_gradient(
    entry: Entry, name: str, x: jnp.ndarray, like: Any = None, **changed: Any
) -> tuple[Any, Any]:
    """The numbers of the result, in the rows and columns that `like` has, and the gradient of a fixed
    combination of them by the points."""

    def combined(x):
        result = numbers_of(calling(entry, **{name: x}, **changed))
        result = result if like is None else _cut(result, like)
        return sum((jnp.sum(jnp.sin(leaf)) for leaf in result), jnp.zeros(())), result

    slope = jax.grad(combined, has_aux=True)
    try:  # one program, and not one for each of its operations
        gradient, result = jax.jit(slope)(x)
    except jax.errors.JAXTypeError:  # what looks at numbers while it runs
        gradient, result = slope(x)
    return result, gradient


def numbers_of(result: Any) -> list[Any]:
    """As `numbers`, for a traced result."""
    rows = jax.tree_util.tree_leaves_with_path(result)
    steady = [leaf for path, leaf in rows if not _unsteady(jax.tree_util.keystr(path))]
    # Potentials and plans hold a row a point, those without mass too: values are what must agree.
    return [leaf for leaf in steady if eqx.is_inexact_array(leaf) and leaf.ndim <= 2]


def _unsteady(name: str) -> bool:
    return any(word in name for word in (*UNSTEADY, "solution", "between", "first", "second"))


def _cut(found: Any, right: Any) -> Any:
    """The rows and columns that both have."""
    return jax.tree.map(lambda a, b: a[tuple(slice(0, n) for n in b.shape)], found, right)


def collapsed(entry: Entry) -> Iterator[tuple[str, str]]:
    """Coincident, antipodal, single and two points: finite numbers with finite gradients."""
    names = [
        name for name in ("x", "y", "clouds") if entry.kind(name) == "points" and name in entry.args
    ]
    aside = entry.makes or entry.light or entry.room in ASIDE
    if not names or aside or entry.arguments[names[0]].ndim < 2:
        return
    clouds = clouds_of(entry.arguments[names[0]])
    for label, cloud in ((label, clouds[label]) for label in entry.collapses):
        n = cloud.shape[-2]
        weights = {
            name: jnp.full(n, 1 / n, float)
            for name in ("w", "a", "b")
            if name in entry.args and entry.kind(name) == "weights"
        }
        changed = dict.fromkeys(names, cloud) | weights
        try:
            result, gradient = _with_gradient(entry, names[0], changed.pop(names[0]), **changed)
        except Exception as error:
            yield label, f"{type(error).__name__}: {str(error)[:100]}"
            continue
        if not all(np.isfinite(leaf).all() for leaf in result):
            yield label, "NaN or infinity"
        elif not np.isfinite(gradient).all():
            yield label, "a gradient that is not finite"


def clouds_of(x: jnp.ndarray) -> dict[str, jnp.ndarray]:
    """Degenerate clouds in the place of x."""
    first = x[..., :1, :]
    return {
        "coincident": jnp.broadcast_to(first, x.shape),
        "one point": first,
        "antipodal": jnp.concatenate([first, -first], axis=-2),
    }


def invalid(entry: Entry) -> Iterator[tuple[str, str]]:
    """NaN in an array gives NaN or an error under jit, never a number."""
    if entry.makes or entry.room in ASIDE:
        return
    for name, value in entry.arguments.items():
        if entry.kind(name) not in ("points", "array", "matrix", "weights") or value is None:
            continue
        if not eqx.is_inexact_array(value) or {(name, "NaN"), (name, "NaN under jit")} & entry.fine:
            continue
        # The last entry: the gradient of a function does not see its first coefficient.
        poisoned = value.at[(-1,) * value.ndim].set(jnp.nan)
        try:
            result = _compiled(entry, name)(poisoned)
        except Exception as error:
            # A refusal, or an error of a solver at run time.
            if "expected " not in str(error) and not isinstance(error, eqx.EquinoxRuntimeError):
                yield name, f"{type(error).__name__}: {str(error)[:100]}"
            continue
        if not any(map(says_invalid, jax.tree.leaves(result))):
            yield name, "NaN in, numbers out"


def says_invalid(leaf: Any) -> bool:
    """Whether an array holds a NaN, or a count of -1, or is a flag that is not set."""
    if not eqx.is_array(leaf):
        return False
    if eqx.is_inexact_array(leaf):
        return bool(jnp.isnan(leaf).any())
    return not bool(leaf.any()) if leaf.dtype == bool else bool((leaf == -1).any())


def _compiled(entry: Entry, name: str) -> Callable:
    return eqx.filter_jit(functools.partial(_call_with, entry, name))


def _call_with(entry: Entry, name: str, value: Any) -> Any:
    return calling(entry, **{name: value})


def printed(entry: Entry) -> Iterator[tuple[str, str]]:
    """What a class makes prints as one line of names and numbers, never of what arrays are made of."""
    if not entry.makes:
        return
    text = repr(entry.value)
    number = "[]" in text.replace("key<fry>[]", "")
    if not text.startswith(f"{type(entry.value).__name__}(") or "\n" in text or number:
        yield entry.name, f"prints as {text[:80]}"


CONTRACTS: dict[str, Callable[[Entry], Iterator[tuple[str, str]]]] = {
    "single": single,
    "half": half,
    "massless": massless,
    "collapse": collapsed,
    "NaN": invalid,
    "print": printed,
}
