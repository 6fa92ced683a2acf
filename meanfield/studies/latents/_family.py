import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...latents import Recording, Transformer, example, load, read
from ...latents.training import topics
from ..machinery import Study, check_that
from ._small_model import small_model

NOISE_FLOOR = 8
"""Texts from which on intervals over texts are wide enough to be believed."""


@dataclass(frozen=True, kw_only=True)
class AbstractLatents(Study):
    """What is asked of a transformer: of real weights, of recordings, or else of a small random model.

    Real texts are topics of Python's help, in the order of their names. One cell, or one a layer.
    """

    weights: str = ""
    """File of weights that `mf.latents.read` reads; empty for a small model of random weights."""
    recording: str = ""
    """Recording, or folder of recordings in .nc files, instead of texts of the model; "example" is the one
    that comes with the package."""
    texts: int = field(default=16, metadata={"least": 2})
    """Texts."""
    tokens: int = field(default=320, metadata={"least": 16})
    """Tokens of each text."""

    def check(self) -> None:
        for name in ("weights", "recording"):
            path = getattr(self, name)
            known = isinstance(path, str) and (path in ("", "example") or Path(path).exists())
            check_that(known, f"a path that exists for {name}", repr(path)[:60], "pass its name")

    @property
    def real(self) -> bool:
        """Whether anything real is asked."""
        return bool(self.weights or self.recording)

    def model(self) -> Transformer:
        """The transformer; ValueError where there are recordings alone."""
        check_that(
            bool(self.weights) or not self.recording,
            "weights beside a recording",
            "none",
            "pass weights, a file",
        )
        return _model(self.weights, self.seed)

    def corpus(self) -> list[Recording]:
        """The texts, as recorded."""
        return _corpus(self.weights, self.recording, self.texts, self.tokens, self.seed)

    def kept(self) -> list[np.ndarray]:
        """The rows of each text that are no sinks: of all texts as many, so that one shape compiles."""
        return _kept(self.weights, self.recording, self.texts, self.tokens, self.seed)

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        if len(parts) == 1:
            return parts[0]
        return xr.concat(
            parts, "step", data_vars="all", coords="minimal", compat="equals", join="exact"
        )


@functools.lru_cache(maxsize=1)
def _model(weights: str, seed: int) -> Transformer:
    return read(weights) if weights else small_model(seed)


@functools.lru_cache(maxsize=1)
def _corpus(weights: str, recording: str, texts: int, tokens: int, seed: int) -> list[Recording]:
    if recording == "example":
        return [cut(example(), tokens)]
    if recording:
        path = Path(recording)
        files = sorted(path.glob("*.nc")) if path.is_dir() else [path]
        check_that(bool(files), "recordings in the folder", "none", "pass one with .nc files")
        return [cut(load(file), tokens) for file in files[:texts]]
    model = _model(weights, seed)
    return [model.record(ids) for ids in ids_of(model, texts, tokens, seed)]


@functools.lru_cache(maxsize=1)
def _kept(weights: str, recording: str, texts: int, tokens: int, seed: int) -> list[np.ndarray]:
    corpus = _corpus(weights, recording, texts, tokens, seed)
    rows = [np.flatnonzero(~np.isin(text.positions, text.sinks())) for text in corpus]
    least = min(len(own) for own in rows)
    return [own[:least] for own in rows]


def cut(text: Recording, tokens: int) -> Recording:
    """The first tokens of a text."""
    return text.drop(text.positions[tokens:].tolist()) if text.n > tokens else text


def ids_of(model: Transformer, texts: int, tokens: int, seed: int) -> list[np.ndarray]:
    """The ids of texts of this length: of topics of Python's help, or uniform where there are no words."""
    if model.tokenizer is None:
        shape = texts, tokens
        words = len(model.embedding)
        return [*np.asarray(jax.random.randint(jax.random.key(seed), shape, 0, words))]
    found = [ids[:tokens] for ids in map(model.encode, topics()) if len(ids) >= tokens]
    check_that(len(found) >= texts, f"at most {len(found)} texts", texts, "pass texts=16")
    return [found[k] for k in np.linspace(0, len(found) - 1, texts).round().astype(int)]


def split(texts: list[Recording]) -> tuple[list[Recording], list[Recording]]:
    """Three quarters of the texts to fit, and every fourth to hold out; of one, its last tokens."""
    if len(texts) > 1:
        kept = [text for k, text in enumerate(texts) if k % 4 == 3] or texts[-1:]
        return [text for text in texts if all(text is not other for other in kept)], kept
    whole, cut = texts[0], 3 * texts[0].n // 4
    return [whole.drop(whole.positions[cut:].tolist())], [
        whole.drop(whole.positions[:cut].tolist())
    ]


def numbers(found: dict[str, Any]) -> xr.Dataset:
    """Numbers by name as a dataset."""
    return xr.Dataset({name: ((), float(jnp.asarray(value))) for name, value in found.items()})
