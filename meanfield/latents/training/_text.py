"""Text that every Python has, as characters of which some are hidden."""

import re
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Int

from ..models import Characters

KNOWN = Characters("\n" + "".join(map(chr, range(32, 127))))
"""Printable characters and the end of a line."""
HELD_OUT = 0.05
"""The share of the text, at its end, that no training sees."""
HIDDEN = 0.15
"""The share of characters that are hidden: Devlin et al. (2018), arXiv 1810.04805."""


class Batch(NamedTuple):
    """Windows of a text, and which of their characters are hidden."""

    ids: Int[Array | np.ndarray, "*batch n"]
    hidden: Bool[Array | np.ndarray, "*batch n"]

    @property
    def shown(self) -> Int[Array | np.ndarray, "*batch n"]:
        """The ids as a model sees them."""
        return hide(self.ids, self.hidden)


def hide(ids, hidden):
    """The ids with that of no character where they are hidden."""
    return ids + (KNOWN.mask - ids) * hidden.astype(ids.dtype)


def topics() -> list[str]:
    """The topics of Python's help, in the order of their names."""
    from pydoc_data.topics import topics

    return [topics[name] for name in sorted(topics)]


def parts_of_help() -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held_out"]]:
    """The ids of Python's help: what is trained on, and its end.

    Runs of blanks are one, rules under headings are left out. The text differs between versions of Python.
    """
    text = re.sub(r"[*=~^-]{3,}", "", re.sub(r"[ \t]+", " ", "\n".join(topics())))
    known = {*KNOWN.known}
    ids = KNOWN.encode("".join(character for character in text if character in known))
    cut = round((1 - HELD_OUT) * len(ids))
    return ids[:cut], ids[cut:]


def draw(ids: Int[np.ndarray, " text"], shape: tuple[int, ...], n: int, seed: int) -> Batch:
    """Windows of n characters at random places of a text, [*shape, n]; one or more are hidden in each."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(len(ids) - n + 1, size=shape)
    hidden = rng.random((*shape, n)) < HIDDEN
    hidden |= rng.integers(n, size=shape)[..., None] == np.arange(n)
    return Batch(ids[starts[..., None] + np.arange(n)], hidden)


def unigram_loss(train: Int[np.ndarray, " train"], batch: Batch) -> float:
    """The loss of who knows how frequent characters are and nothing of the others in the window."""
    counts = np.bincount(train, minlength=KNOWN.mask) + 1  # what never occurs is not impossible
    logs = np.log(counts / counts.sum())
    return float(-logs[np.asarray(batch.ids)][np.asarray(batch.hidden)].mean())
