"""What a picture is drawn from, as numpy arrays on the host, checked at the door."""

import contextlib
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import shown

Real: TypeAlias = float | int
"""A number, whole or not."""

# A thousandth of the radius is less than the width of a line: what is closer looks right.
UNIT_TOLERANCE = 1e-3
LARGEST = 1e300
"""The largest number that is drawn: axes hold no differences of larger ones."""


def to_host(
    x: ArrayLike, shape: tuple[str | int, ...], name: str, remedy: str, finite: bool = True
) -> NDArray[np.float64]:
    """`x` in double precision, of the given shape: a letter stands for any length >= 1."""
    array = numbers_of(x, name, "iuf").astype(float)
    fits = array.ndim == len(shape) and all(
        have > 0 if isinstance(want, str) else have == want
        for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        want = ", ".join(map(str, shape))
        raise ValueError(f"expected {name} of shape [{want}], got {list(array.shape)}; {remedy}.")
    if finite and not np.isfinite(array).all():
        raise ValueError(
            f"expected finite numbers in {name}, got NaN or infinity; remove or replace those entries."
        )
    if (np.isfinite(array) & (np.abs(array) > LARGEST)).any():
        raise ValueError(
            f"expected numbers up to {LARGEST:g} in {name}, got larger ones, of whose differences no axis "
            "knows; divide them."
        )
    return array


def in_order(x: NDArray[np.float64], name: str, falling: bool = False) -> NDArray[np.float64]:
    """The places along an axis, refused unless they increase, or fall where that may be."""
    steps = np.diff(x)
    if not ((steps > 0).all() or (falling and (steps < 0).all())):
        raise ValueError(f"expected increasing {name}, each once, got others; sort them first.")
    return x


def numbers_of(x: ArrayLike, name: str, kinds: str) -> np.ndarray:
    """`x` as an array of numbers of one of these kinds of numpy."""
    with contextlib.suppress(ValueError, TypeError):
        if (array := np.asarray(x)).dtype.kind in kinds:
            return array
    words = "one real number a place" if "f" in kinds else "one integer a point"
    raise ValueError(f"expected numbers in {name}, got {shown(x)}; pass {words}.")


def unit_points(x: ArrayLike, shape: tuple[str | int, ...], name: str) -> NDArray[np.float64]:
    """`x` as points of the unit sphere, along its last axis."""
    points = to_host(
        x,
        shape,
        name,
        f"put {shape[-1]} coordinates on the last axis, of a Product space.split(x)[0]",
    )
    if np.abs(np.linalg.norm(points, axis=-1) - 1).max() > UNIT_TOLERANCE:
        raise ValueError(
            f"expected unit vectors in {name}, got points off the sphere; "
            f"normalize them with Sphere({shape[-1]}).project({name}), or of a Product take "
            "space.split(x)[0]."
        )
    return points


def point_labels(labels: ArrayLike | None, n: int) -> NDArray[np.integer]:
    """One integer a point; all 0 if there are none."""
    array = np.zeros(n, int) if labels is None else numbers_of(labels, "labels", "iu")
    if array.shape != (n,):
        raise ValueError(
            f"expected integer labels of shape [{n}], got {array.dtype} of shape "
            f"{list(array.shape)}; pass one integer a point."
        )
    return array


def point_areas(w: ArrayLike | None, n: int, area: Real) -> NDArray[np.float64]:
    """Marker areas proportional to the weights, of mean `area`."""
    if not 0 <= area < np.inf:
        raise ValueError(f"expected a finite area >= 0, got {area:g}; pass area=20.0.")
    if w is None:
        return np.full(n, area, dtype=float)
    weights = to_host(w, (n,), "w", "pass one weight a point")
    if weights.min() < 0 or weights.sum() == 0:
        raise ValueError("expected nonnegative weights w, not all 0; clip them at 0.")
    return area * weights / weights.mean()


def masses_of(w: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """The weights as shares of the whole mass; equal ones if there are none."""
    return point_areas(w, n, 1.0) / n


def times(ts: ArrayLike | None, steps: int) -> NDArray[np.float64]:
    """The times of `steps` states; 0, 1, 2, ... if there are none."""
    if ts is None:
        return np.arange(steps, dtype=float)
    found = to_host(ts, (steps,), "ts", "pass one time a state")
    if (np.diff(found) < 0).any():
        raise ValueError("expected times ts that never fall, got others; sort the states by time.")
    return found
