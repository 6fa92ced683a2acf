"""Texts as ids: the tokenizers of the library tokenizers, made from what files say."""

import dataclasses
import importlib
from typing import Any

import numpy as np

_SPLITS = {"gpt-2", "default", "smollm"}
"""Ways of cutting a text that are known, as `tokenizer.ggml.pre` names them."""


class Words:
    """The tokenizer of a model: `encode(text)` gives ids, `decode(ids)` text."""

    def __init__(self, inner: Any):
        self._inner = inner

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, without those of its begin and end."""
        return np.asarray(self._inner.encode(text, add_special_tokens=False).ids, np.int64)

    def decode(self, ids) -> str:
        """The text of ids."""
        return self._inner.decode([int(i) for i in ids], skip_special_tokens=False)


@dataclasses.dataclass(frozen=True)
class Characters:
    """A tokenizer of single characters: ids are places in `known`; the id behind them hides a character."""

    known: str

    @property
    def mask(self) -> int:
        """The id that stands for a hidden character."""
        return len(self.known)

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text. Raises ValueError for a character that is not known."""
        places = {character: number for number, character in enumerate(self.known)}
        if strange := sorted({*text} - {*places}):
            raise ValueError(
                f"expected a text of {len(self.known)} known characters, got {strange[0]!r}; leave it out."
            )
        return np.array([places[character] for character in text], np.int64)

    def decode(self, ids) -> str:
        """The text of ids, with U+FFFD for hidden characters."""
        return "".join((self.known + "\N{REPLACEMENT CHARACTER}")[int(i)] for i in ids)


def words_of_gguf(metadata: dict[str, Any]) -> Words | None:
    """The tokenizer that a GGUF file describes; None if it is none of byte pairs, or cuts in a way that
    is not known here, or without the library."""
    known = metadata.get("tokenizer.ggml.model") == "gpt2"
    split = metadata.get("tokenizer.ggml.pre", "default")
    library = _library()
    if not known or split not in _SPLITS or library is None:
        return None
    words, merges = (metadata.get(f"tokenizer.ggml.{name}") for name in ("tokens", "merges"))
    try:
        pairs = [tuple(str(merge).split(" ")) for merge in merges or []]
        vocabulary = {str(word): number for number, word in enumerate(words or [])}
        made = library.Tokenizer(library.models.BPE(vocab=vocabulary, merges=pairs))
    except Exception as error:  # the library has no one class of error
        raise _unreadable(error) from error
    bytes_ = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = [library.pre_tokenizers.Digits(individual_digits=True)] if split == "smollm" else []
    made.pre_tokenizer = library.pre_tokenizers.Sequence([*digits, bytes_])
    made.decoder = library.decoders.ByteLevel()
    return Words(made)


def words_of_json(content: str) -> Words | None:
    """The tokenizer of a file tokenizer.json; None without the library."""
    library = _library()
    if library is None:
        return None
    try:
        made = library.Tokenizer.from_str(content)
    except Exception as error:
        raise _unreadable(error) from error
    made.no_truncation()
    made.no_padding()
    return Words(made)


def _library() -> Any | None:
    try:
        return importlib.import_module("tokenizers")
    except ImportError:
        return None


def _unreadable(error: Exception) -> ValueError:
    why = " ".join(str(error).split())[:80]
    return ValueError(
        f"expected a tokenizer in the file, got one that is refused ({why}); fetch it again."
    )
