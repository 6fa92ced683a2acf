"""Several texts at once."""

from collections.abc import Sequence

import numpy as np

from ..._checks import check_instances, check_positive
from ._recording import Recording

Corpus = Recording | Sequence[Recording]
"""A text, or a list of texts of one model."""


def check_corpus(texts: Corpus, name: str = "recordings") -> list[Recording]:
    """`texts` as a list of recordings of the same layers and dimension."""
    remedy = f"pass {name}=[Recording(...)]"
    kept = [texts] if isinstance(texts, Recording) else texts
    found = check_instances(kept, Recording, "a recording", remedy)
    first = found[0]
    for text in found[1:]:
        if text.d != first.d or text.layers.tolist() != first.layers.tolist():
            raise ValueError(
                f"expected {name} of the same layers and dimension, got {first!r} and {text!r}; "
                "select layers that all have, of one model."
            )
    return found


def check_parts(train: Corpus, held_out: Corpus) -> tuple[list[Recording], list[Recording]]:
    """Texts to fit and texts to hold out, of the same layers and dimension, none of which is in both."""
    texts, others = check_corpus(train, "train"), check_corpus(held_out, "held_out")
    check_corpus([*texts, *others], "train and held_out")
    for other in others:
        if any(_are_one(text, other) for text in texts):
            raise ValueError(
                f"expected texts in held_out that are not in train, got one that is, {other!r}; hold out "
                "others, or of one text its last tokens by .drop."
            )
    return texts, others


def _are_one(text: Recording, other: Recording) -> bool:
    """Whether two recordings hold the same numbers: the first layer tells most apart."""
    if text is other:
        return True
    alike = text.states.shape == other.states.shape
    alike = alike and np.array_equal(text.positions, other.positions)
    return alike and all(map(np.array_equal, text.states, other.states))


def without_sinks(texts: list[Recording], ratio: float | None) -> list[Recording]:
    """The texts without the tokens longer than `ratio` times the median of a layer; None keeps them."""
    return [text.drop(sinks_of(text, ratio)) for text in texts]


def sinks_of(text: Recording, ratio: float | None) -> list[int]:
    """The positions of those tokens."""
    if ratio is None:
        return []
    ratio = float(check_positive(ratio, "sinks", "pass sinks=5.0, or None to keep all tokens"))
    found = text.sinks(ratio).tolist()
    if len(found) == text.n:
        raise ValueError(
            f"expected a token that is no sink, got none at sinks={ratio:g}; pass 5.0."
        )
    return found
