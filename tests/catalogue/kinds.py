"""What a parameter takes, by its name, and what is wrong for each kind of parameter.

A wrong argument is wrong whatever the function: one that takes it all the same says so in `fine`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from meanfield.attention import Softmax
from meanfield.energies import Interaction
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier

NAN, INF = float("nan"), float("inf")
HUGE = 10**400

COUNTS = """d n degree max_degree steps max_steps iterations max_iterations block rank size
    count cells points_count k m bins samples seeds rounds resolution twists runs directions
    players layer chains draws warmup nodes frames"""
POSITIVE = """epsilon relative_epsilon tol tau dt alpha accuracy bound penalty step_size delta
    tolerance s t rate until merge p width spacing base scale length share distance t_end
    discount effort sinks ratio stop near fps ridge"""
NONNEGATIVE = """noise kappa strength tail speed smoothing friction diffusion spread coupling
    weight threshold"""
REAL = "beta slope offset factor level start end start_angle constant_number r c drift"
CLOUDS = "x y points clouds x0 v values history u"
WEIGHTS = "w a b weights masses shares"
MATRICES = "cov cov1 cov2 matrix linear A B onto"
OPTIONAL_MATRICES = "query key_matrix value"
VECTORS = """mean mean1 mean2 constant coeffs density densities potential_values times ts
    multipliers angles linear1 linear2 guess controls"""
OBJECTS = """geometry attention energy basis dynamics scheme law laws engine normalization mask
    domain cost pull gate method branch solver flow flows terms study heads layers adjoint
    optimizer bias equation found problem normalizations angle energies other run graph play
    family merges dataset"""
FUNCTIONS = "function kernel profile functional potential mlp pick outcome field move where update"
FIELDS = """recordings positions train held_out ridges regimes ranks along betas scales cache
    surrogates symbol folder output changed xlabel package"""

KIND_OF: dict[str, str] = {
    **dict.fromkeys(COUNTS.split(), "count"),
    **dict.fromkeys(POSITIVE.split(), "positive"),
    **dict.fromkeys(NONNEGATIVE.split(), "nonnegative"),
    **dict.fromkeys(REAL.split(), "real"),
    **dict.fromkeys(CLOUDS.split(), "points"),
    **dict.fromkeys(WEIGHTS.split(), "weights"),
    **dict.fromkeys(MATRICES.split(), "matrix"),
    **dict.fromkeys(OPTIONAL_MATRICES.split(), "matrix"),
    **dict.fromkeys(VECTORS.split(), "array"),
    **dict.fromkeys(OBJECTS.split(), "object"),
    **dict.fromkeys(FUNCTIONS.split(), "function"),
    **dict.fromkeys(FIELDS.split(), "field"),
    "key": "key",
    "ax": "object",
    "fig": "object",
    "axis": "object",
}

STRANGERS = {
    "a geometry": Sphere(3),
    "an attention": Softmax(2.0),
    "an energy": Interaction(2.0),
    "a basis": Fourier(4),
}


def wrong(kind: str, valid: Any) -> Iterator[tuple[str, Any]]:
    """Labels and values that are wrong for a parameter of this kind, whose valid value is known."""
    yield "a class", Softmax if kind == "object" and valid is None else type(valid)
    if not isinstance(valid, str):
        yield "text", "abc"
    yield from TABLE[kind](valid)


def _numbers(valid: Any) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "NaN", NAN
    yield "infinity", INF
    yield "complex", 1j
    yield "True", True
    yield "10**400", HUGE
    yield "a vector", jnp.asarray(np.ones(2))
    yield "an empty array", jnp.asarray(np.zeros(0))
    yield "a number in text", "2.0"
    yield "a geometry", STRANGERS["a geometry"]


def _positive(valid: Any) -> Iterator[tuple[str, Any]]:
    yield from _nonnegative(valid)
    yield "zero", 0.0


def _nonnegative(valid: Any) -> Iterator[tuple[str, Any]]:
    yield from _numbers(valid)
    yield "negative", -1.0


def _counts(valid: Any) -> Iterator[tuple[str, Any]]:
    yield from _positive(valid)
    yield "a half", 2.5


def _changed(array: np.ndarray, place: tuple[int, ...], number: float) -> jax.Array:
    """The array with another number in one place."""
    out = array.copy()
    out[place] = number
    return jnp.asarray(out)


def _arrays(valid: Any) -> Iterator[tuple[str, Any]]:
    """All made by NumPy, for there are thousands of them."""
    array = np.asarray(valid)
    yield "None", None
    yield "an attention", STRANGERS["an attention"]
    yield "complex", jnp.asarray(array.astype(complex))
    yield "booleans", jnp.asarray(np.ones(array.shape, bool))
    last = (-1,) * array.ndim  # the gradient of a function does not see its first coefficient
    yield "NaN", _changed(array, last, NAN)
    yield "infinity", _changed(array, last, INF)
    yield "an object array", np.full(array.shape, None)
    yield "ragged rows", [[1.0, 2.0], [3.0]]


def _points(valid: Any) -> Iterator[tuple[str, Any]]:
    array = np.asarray(valid)
    yield from _arrays(valid)
    yield "an empty cloud", jnp.asarray(array[:0])
    yield "four axes", jnp.asarray(array[None, None])
    yield "one number", jnp.asarray(np.asarray(0.5, array.dtype))
    yield "integers", jnp.asarray(np.round(3 * array).astype(int))


def _weights(valid: Any) -> Iterator[tuple[str, Any]]:
    array = np.asarray(valid)
    yield from _arrays(valid)
    first = (0,) * array.ndim
    yield "a negative weight", _changed(array, first, array[first] - 1)
    yield "sum 2", jnp.asarray(2 * array)
    yield "zeros", jnp.asarray(0 * array)
    yield "one too many", jnp.asarray(np.concatenate([array, array[:1]]))
    yield "one number", jnp.asarray(np.asarray(1.0, array.dtype))


def _matrices(valid: Any) -> Iterator[tuple[str, Any]]:
    array = np.eye(2) if valid is None else np.asarray(valid)
    yield from _arrays(array)
    yield "three axes", jnp.asarray(array[None])
    yield "an empty array", jnp.asarray(array[:0])


def _objects(valid: Any) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "NaN", NAN
    yield "a number", 1.0
    yield "an array", jnp.asarray(np.ones(2))
    for label, stranger in STRANGERS.items():
        if not isinstance(stranger, _family(valid)):
            yield label, stranger


def _family(valid: Any) -> type:
    """The first abstract class that a valid object extends."""
    bases = [base for base in type(valid).__mro__ if base.__name__.startswith("Abstract")]
    return next((base for base in bases if base.__module__.startswith("meanfield")), type(valid))


def _functions(valid: Any) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "a number", 1.0
    yield "an array", jnp.asarray(np.ones(2))
    yield "a geometry", STRANGERS["a geometry"]
    yield "a function of text", lambda *_: "abc"


def _keys(valid: Any) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "a seed", 0
    yield "a number", 1.5
    yield "an array", jnp.asarray(np.ones(2))
    yield "many keys", jax.random.split(jax.random.key(0))


def _fields(valid: Any) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "NaN", NAN
    yield "infinity", INF
    yield "a geometry", STRANGERS["a geometry"]


TABLE: dict[str, Callable[[Any], Iterator[tuple[str, Any]]]] = {
    "count": _counts,
    "positive": _positive,
    "nonnegative": _nonnegative,
    "real": _numbers,
    "points": _points,
    "array": _arrays,
    "weights": _weights,
    "matrix": _matrices,
    "object": _objects,
    "function": _functions,
    "key": _keys,
    "field": _fields,
}
