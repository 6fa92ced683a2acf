"""Arrays as text: integers of sixteen bits, second differences along time, deflated, in base 64."""

import base64
import zlib
from typing import Any

import numpy as np

SCALE = 32000.0
"""Steps to one, so that coordinates of unit vectors are right to half a step."""


def packed(values: np.ndarray, scale: float = SCALE, offset: float = 0.0) -> dict[str, Any]:
    """`values` [T, ...] as round((values - offset) * scale), one token after the other; differences along
    time wrap around as sixteen bits do. `unpack` in assets/data.js undoes it.
    """
    steps = np.moveaxis(np.round((values - offset) * scale).astype(np.int16), 0, -1)
    for _ in range(2):  # what moves smoothly has second differences of next to nothing
        steps = np.diff(steps, axis=-1, prepend=np.zeros_like(steps[..., :1]))
    text = base64.b64encode(zlib.compress(steps.astype("<i2").tobytes(), 9)).decode()
    return {"z": text, "shape": list(values.shape), "scale": scale, "offset": offset}


def packed_range(values: np.ndarray) -> dict[str, Any]:
    """Values of any size, to a part in 2 SCALE of their range."""
    low, high = float(values.min()), float(values.max())
    scale = 2 * SCALE / (high - low) if high > low else 1.0
    return packed(values, scale, (low + high) / 2) | {"low": low, "high": high}


def unpacked(field: dict[str, Any]) -> np.ndarray:
    """What `packed` made of an array: as a page shows it."""
    raw = zlib.decompress(base64.b64decode(field["z"]))
    times, *rest = field["shape"]
    steps = np.frombuffer(raw, "<i2").reshape(*rest, times)
    for _ in range(2):
        steps = np.cumsum(steps, axis=-1, dtype=np.int16)
    return np.moveaxis(steps, -1, 0) / field["scale"] + field["offset"]
