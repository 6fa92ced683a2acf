"""Metadata and tensors of GGUF files."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ._quantized import TYPES, size_of

_NUMBERS = {
    0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8",
    11: "<i8", 12: "<f8",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_LONGEST_NAME, _MOST_AXES = 2**16, 4


@dataclasses.dataclass(frozen=True)
class Stored:
    """A tensor as it lies in a file: its type, its shape, rows last, and its bytes."""

    kind: str
    shape: tuple[int, ...]
    content: np.ndarray


def read_gguf(path: Path) -> tuple[dict[str, Any], dict[str, Stored]]:
    """The metadata and the tensors of a GGUF file, by name; no tensor is read before it is used.

    The header is read once from start to end: every length and count is held against the bytes that
    are left before memory is taken for it, so that what is made is a few times as large as the file at
    most. Raises ValueError for what is no GGUF file of version 2 or 3, is not whole, or does not fit.
    Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    try:
        if path.stat().st_size < 24:
            raise ValueError("it is too short")
        return _read(_Cursor(np.memmap(path, np.uint8, "r")))
    except (ValueError, UnicodeDecodeError, OverflowError, MemoryError) as error:
        why = " ".join(str(error).split())[:80]
        raise ValueError(
            f"expected a GGUF file, got {path.name}, which is none or is not whole ({why}); fetch it again."
        ) from error


def _read(cursor: "_Cursor") -> tuple[dict[str, Any], dict[str, Stored]]:
    if bytes(cursor.take(4)) != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    if (version := cursor.number(4)) not in (2, 3):
        raise ValueError(f"version {version}")
    tensors, entries = cursor.count(24), cursor.count(12)
    metadata = dict(_unique(_entry(cursor) for _ in range(entries)))
    described = dict(_unique(_description(cursor) for _ in range(tensors)))
    step = metadata.get("general.alignment", 32)
    if not isinstance(step, int) or not 0 < step <= 2**16 or step & (step - 1):
        raise ValueError("an alignment that is no power of two")
    start = -(-cursor.place // step) * step
    content = cursor.content[start:]
    return metadata, {name: _stored(content, *about) for name, about in described.items()}


def _unique(pairs: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for name, value in pairs:
        if name in seen:
            raise ValueError(f"{name[:40]} twice")
        seen.add(name)
        yield name, value


def _entry(cursor: "_Cursor") -> tuple[str, Any]:
    return cursor.text(_LONGEST_NAME), _value(cursor, cursor.number(4))


def _value(cursor: "_Cursor", kind: int) -> Any:
    """A number, a string, or an array of either."""
    if kind == _STRING:
        return cursor.text()
    if kind == _ARRAY:
        inner = cursor.number(4)
        if inner == _STRING:
            return [cursor.text() for _ in range(cursor.count(8))]
        if inner not in _NUMBERS:  # the format allows arrays of arrays, and no model has them
            raise ValueError(f"an array of the type {inner}")
        dtype = np.dtype(_NUMBERS[inner])
        return cursor.take(cursor.count(dtype.itemsize) * dtype.itemsize).view(dtype)
    if kind not in _NUMBERS:
        raise ValueError(f"a value of the type {kind}")
    dtype = np.dtype(_NUMBERS[kind])
    return cursor.take(dtype.itemsize).view(dtype)[0].item()


def _description(cursor: "_Cursor") -> tuple[str, tuple[str, tuple[int, ...], int]]:
    """Name of a tensor, and its type, shape and place."""
    name = cursor.text(_LONGEST_NAME)
    axes = cursor.number(4)
    if not 1 <= axes <= _MOST_AXES:
        raise ValueError(f"a tensor of {axes} axes")
    shape = tuple(cursor.number(8) for _ in range(axes))[::-1]
    kind = cursor.number(4)
    if kind not in TYPES:
        raise ValueError(f"a tensor of the type {kind}")
    return name, (TYPES[kind], shape, cursor.number(8))


def _stored(content: np.ndarray, kind: str, shape: tuple[int, ...], place: int) -> Stored:
    """The part of the content that a tensor takes."""
    size = size_of(kind, shape)
    if min(shape) < 1 or place + size > len(content):
        raise ValueError("a tensor beyond its end")
    return Stored(kind, shape, content[place : place + size])


@dataclasses.dataclass
class _Cursor:
    """Bytes that are taken from start to end, and never beyond."""

    content: np.ndarray
    place: int = 0

    def take(self, size: int) -> np.ndarray:
        """The next bytes."""
        if size > len(self.content) - self.place:
            raise ValueError("it ends too early")
        self.place += size
        return self.content[self.place - size : self.place]

    def number(self, size: int) -> int:
        """The next unsigned integer, of 4 or 8 bytes."""
        return int.from_bytes(bytes(self.take(size)), "little")

    def count(self, least: int) -> int:
        """How many things follow, of at least so many bytes each."""
        found = self.number(8)
        if found * least > len(self.content) - self.place:
            raise ValueError("it ends too early")
        return found

    def text(self, longest: int | None = None) -> str:
        """The next string."""
        length = self.count(1)
        if longest is not None and length > longest:
            raise ValueError("a name that is too long")
        return bytes(self.take(length)).decode()
