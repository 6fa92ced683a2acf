from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ..._checks import check_integer, check_positive, shown
from ..recordings import Corpus, Recording, check_corpus, sinks_of
from . import _clouds, _references, _series, _steps
from ._bootstrap import with_intervals

LEAST = 8
"""Distinct tokens that a text must have: nearest neighbours are looked for."""


def profile(
    recordings: Corpus,
    betas: Iterable[float] = (1.0, 4.0, 9.0),
    scales: Iterable[float] = (0.25, 0.5, 1.0),
    sinks: float | None = 5.0,
    seed: int = 0,
) -> xr.Dataset:
    """What the hidden states of one text, or of several, do over the layers.

        report = mf.latents.profile(corpus)
        report.entropy                       # [layer], the mean over texts
        report.entropy_low, report.entropy_high     # its 95 % bootstrap interval over texts
        report.entropy_each                  # [text, layer]

    - Along `layer`: cap entropy raw and about the mean, beside the mean of eight von Mises-Fisher samples of
      the same alignment, with its interval; alignment, effective rank, intrinsic dimension, radii;
      interaction energy at each of `betas`, single-linkage clusters at each of `scales` (angles).
    - Along `step`, from one entry of layers to the next: geodesic W2 and the share of tokens for which
      the identity is optimal, speeds, information, autocorrelation; writes of attention and MLP where
      the recording has states in the middle.
    - One number a text: rotations over the layers, beside three nulls; `sinks` and `duplicates`, the
      shares of tokens that were left out.

    Left out are tokens longer than `sinks` times the median of a layer (None keeps them), and those that
    coincide with an earlier one in some layer. All texts are then cut to the same number of tokens, the
    attribute `n`, evenly spaced: estimates of entropy depend on n, and at d >= 32 only differences to
    the references mean anything. `entropy_uniform` is what uniform points give, 0 but for its error.

    `seed` draws the references and the intervals. Intervals are NaN for a single text. Seconds a text of
    320 tokens, 31 layers and d = 576. Raises ValueError for recordings of different models, a text of
    fewer than 8 distinct tokens, a state that is zero, and betas or scales that are not positive.
    """
    betas, scales = sweep(betas, "betas"), sweep(scales, "scales")
    seed = check_integer(seed, "seed", 0)
    texts = check_corpus(recordings)
    first, (kept, left_out) = texts[0], _kept(texts, sinks)
    pairs = zip(texts, kept, strict=True)
    found = [_of_text(_only(text, own), betas, scales, seed) for text, own in pairs]
    values = {name: np.stack([one[name] for one in found]) for name in found[0]} | left_out
    coords = {"layer": first.layers, "step": first.layers[:-1], "beta": betas, "scale": scales}
    placed = {name: (_along(name), each) for name, each in values.items()}
    variables = with_intervals(placed, _WORDS, seed)
    report = xr.Dataset(variables, coords, {"n": len(kept[0]), "d": first.d})
    report = report.assign_attrs(texts=len(texts), model=first.model)
    return report.assign(_referred(report, first.dtype, seed))


def sweep(values: Iterable[float], name: str) -> list[float]:
    """`values` as a list of different positive numbers, one or more."""
    try:
        values = [*values]
    except TypeError as error:
        raise ValueError(
            f"expected numbers for {name}, got {shown(values)}; pass {name}=[1.0]."
        ) from error
    found = [float(check_positive(value, name, f"pass {name}=[1.0]")) for value in values]
    if not found or len({*found}) < len(found):
        raise ValueError(
            f"expected different numbers for {name}, got {shown(values)}; pass {name}=[1.0]."
        )
    return found


def _kept(
    texts: list[Recording], ratio: float | None
) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """The positions in each text of as many tokens that are neither sinks nor duplicates, evenly spaced, and
    what was left out. States are copied a text at a time: a corpus may be half of what memory holds."""
    plain, kept = [], []
    for text in texts:
        others = text.drop(sinks_of(text, ratio))
        plain.append(others.n)
        kept.append(others.distinct().positions)
    n = min(map(len, kept))
    if n < LEAST:
        raise ValueError(
            f"expected {LEAST} distinct tokens or more in each text, got {n}; record longer texts."
        )
    shares = {
        "sinks": [1 - left / text.n for text, left in zip(texts, plain, strict=True)],
        "duplicates": [1 - len(own) / left for own, left in zip(kept, plain, strict=True)],
    }
    return [_thinned(own, n) for own in kept], {k: np.array(v) for k, v in shares.items()}


def _thinned(places: np.ndarray, n: int) -> np.ndarray:
    """n of the places, evenly spaced."""
    return places[np.unique(np.linspace(0, len(places) - 1, n).round().astype(int))]


def _only(text: Recording, places: np.ndarray) -> Recording:
    """The tokens of a text at these places."""
    return text.drop(np.setdiff1d(text.positions, places).tolist())


def _of_text(
    text: Recording, betas: list[float], scales: list[float], seed: int
) -> dict[str, np.ndarray]:
    _check_lengths(np.asarray(text.radii()), text.dtype)
    sweeps = jnp.asarray(betas, text.dtype), jnp.asarray(scales, text.dtype)
    layers = [_clouds.of_cloud(text.cloud(entry), *sweeps) for entry in range(len(text.states))]
    found = {name: np.stack([np.asarray(one[name]) for one in layers]) for name in layers[0]}
    if len(text.states) > 1:
        found |= _steps.of_steps(text)
    return found | {k: np.asarray(v) for k, v in _series.of_series(text, seed).items()}


def _check_lengths(radii: np.ndarray, dtype: np.dtype) -> None:
    """Squares of lengths, and of what differs from them by a rounding, must be numbers of this precision."""
    if (radii == 0).any():
        raise ValueError("expected nonzero states, got a zero; drop those tokens with .drop.")
    kind = jnp.finfo(dtype)
    least, most = (
        float(kind.tiny) ** 0.5 / float(kind.eps),
        float(kind.max) ** 0.5 * float(kind.eps),
    )
    if not ((radii > least) & (radii < most)).all():
        raise ValueError(
            f"expected states of lengths from {least:.0e} to {most:.0e} in {dtype}, got {radii.min():.0e} to "
            f"{radii.max():.0e}; divide them by a number."
        )


_WORDS = {
    **_clouds.NAMES,
    **{name: words for name, (_, words) in _clouds.SWEPT.items()},
    **_steps.NAMES,
    **_series.NAMES,
    "sinks": "share of tokens left out as attention sinks",
    "duplicates": "share of tokens left out as duplicates",
}


def _along(name: str) -> tuple[str, ...]:
    """What a quantity of a text runs along."""
    if name in _clouds.SWEPT:
        return "layer", _clouds.SWEPT[name][0]
    if name in _clouds.NAMES:
        return ("layer",)
    return ("step",) if name in _steps.NAMES else ()


def _referred(report: xr.Dataset, dtype: np.dtype, seed: int) -> dict[str, xr.Variable]:
    """The entropies of references."""
    n, d, keys = report.n, report.d, jax.random.split(jax.random.key(seed), report.layer.size + 1)
    value, error = _references.of_uniform(keys[0], n, d)
    products = jnp.asarray(report.alignment.values, dtype)
    laws = [_references.of_matched(k, p, n, d) for k, p in zip(keys[1:], products, strict=True)]
    found = {
        name: xr.Variable("layer", [float(law[name]) for law in laws], {"long_name": words})
        for name, words in _references.NAMES.items()
    }
    words = {"long_name": "cap entropy of uniform points of the same n and d"}
    found["entropy_uniform"] = xr.Variable((), value, words)
    return found | {"entropy_uniform_error": xr.Variable((), error, words)}
