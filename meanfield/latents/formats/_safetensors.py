"""Tensors in safetensors files, as maps into the file."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ...io import write_bytes

LONGEST_HEADER = 100 * 2**20
"""Bytes of the longest header that is read, as in the format's own library."""
_TYPES: dict[str, Any] = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name, none of which is read before it is used.

    The header says for each its type, shape and two offsets: it is refused unless it is short, and each
    tensor lies within the file and has as many bytes as its shape asks for. Raises ValueError
    otherwise. Source: https://huggingface.co/docs/safetensors, the format.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > min(LONGEST_HEADER, size - 8):
                raise ValueError("its header does not fit")
            header = json.loads(file.read(length).decode())
        if not isinstance(header, dict):
            raise ValueError("its header is no table")
        header.pop("__metadata__", None)
        content = np.memmap(path, np.uint8, "r")[8 + length :]
        return {str(name): _tensor(content, entry) for name, entry in header.items()}
    except (ValueError, RecursionError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())[:80]
        raise ValueError(
            f"expected a safetensors file, got {path.name}, which is none or is not whole ({why}); "
            "fetch it again."
        ) from error


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes tensors as such a file, whole or not at all."""
    names = {np.dtype(kind): name for name, kind in _TYPES.items()}
    header, start = {}, 0
    for name, tensor in tensors.items():
        place = [start, start + tensor.nbytes]
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": place}
        start = place[1]
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    parts = [np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values()]
    write_bytes(path, len(head).to_bytes(8, "little") + head + b"".join(parts))


def _tensor(content: np.ndarray, entry: Any) -> np.ndarray:
    """The part of a file that an entry of its header describes."""
    fields = entry if isinstance(entry, dict) else {}
    kind = fields.get("dtype")
    shape, offsets = (_whole_numbers(fields.get(name)) for name in ("shape", "data_offsets"))
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"a tensor of the unknown type {str(kind)[:20]}")
    if len(offsets) != 2 or len(shape) > 32:
        raise ValueError("a tensor without a place")
    start, stop = offsets
    dtype = np.dtype(_TYPES[kind])
    if not start <= stop <= len(content) or stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError("a tensor that does not fit its place")
    if math.prod(shape) == 0:
        return np.zeros(shape, dtype)
    return content[start:stop].view(dtype).reshape(shape)


def _whole_numbers(values: Any) -> list[int]:
    """A list of integers that are not negative."""
    values = values if isinstance(values, list) else [-1]
    if not all(type(value) is int and 0 <= value < 2**63 for value in values):
        raise ValueError("a tensor of no size")
    return values
