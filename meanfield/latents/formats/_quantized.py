"""Numbers as GGUF stores them: plain, or quantized in blocks."""

import math
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from ..._extras import module_of

if TYPE_CHECKING:
    from ._gguf import Stored

_PLAIN: dict[str, Any] = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
# Numbers and bytes a block, as in ggml.h.
_BLOCKS = {
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
    "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210),
}  # fmt: skip
TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 30: "BF16",
}  # fmt: skip
"""The types that are read, by their numbers in files."""


def size_of(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor; ValueError if its rows are no whole blocks."""
    numbers, size = _BLOCKS.get(kind) or (1, np.dtype(_PLAIN[kind]).itemsize)
    if shape[-1] % numbers:
        raise ValueError(f"a row of {shape[-1]} numbers in blocks of {numbers}")
    return math.prod(shape) // numbers * size


def numbers_of(stored: "Stored", name: str) -> np.ndarray:
    """The finite numbers of a tensor, in float32.

    Raises ValueError for NaN and infinity, and without the package gguf for quantized ones.
    """
    if stored.kind in _PLAIN:
        values = stored.content.view(_PLAIN[stored.kind]).astype(np.float32)
    else:
        row = size_of(stored.kind, stored.shape[-1:])
        values = _dequantized(stored.kind, stored.content.reshape(-1, row))
    if not np.isfinite(values).all():
        raise ValueError(
            f"expected finite weights, got NaN or infinity in {name}; fetch the file again."
        )
    return values.reshape(stored.shape)


def _dequantized(kind: str, rows: np.ndarray) -> np.ndarray:
    gguf = module_of("latents", "gguf", f"weights of type {kind}", "gguf")
    return np.asarray(gguf.dequantize(rows, gguf.GGMLQuantizationType[kind]), np.float32)
