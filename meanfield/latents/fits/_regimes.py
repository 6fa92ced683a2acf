from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from ..._checks import check_choice, check_integer, shown
from ..profiles import with_intervals
from ..recordings import Corpus, Recording, check_parts, without_sinks
from ._switching import Switching, fit_switching, library, log_likelihood, occupation

FLAT = 1e-24
"""The share of the variance of states below which that of their steps is rounding."""
WORDS = {
    "log_likelihood": "log density of held-out steps, of all coordinates, nats a step and dimension",
    "gain": "gain of log density over the fewest regimes, nats a step and dimension",
}


def fit_regimes(
    train: Corpus,
    held_out: Corpus,
    regimes: Sequence[int] = (1, 2, 3, 4),
    ranks: Sequence[int] = (2, 4, 8),
    along: str = "layer",
    tokens: int = 64,
    sinks: float | None = 5.0,
    iterations: int = 40,
    starts: int = 3,
    seed: int = 0,
) -> xr.Dataset:
    """Switching linear dynamics of hidden states: how many regimes do texts that were not fitted want?

        y_{t+1} = W_k y_t + b_k + N(0, S_k),    P(k' | k) a Markov chain

    with y the states on the first `ranks` principal axes of train; of the other axes what is added is
    N(m, s^2) in each step. `along` "layer" follows `tokens` of each text, evenly spaced, from layer to
    layer; "token" follows each layer from token to token, as sentences are followed in the source.
    States are divided by the root mean square length of their layer.

    Tokens are left out as `sinks` asks, see `without_sinks`; `held_out` are texts that are not fitted.

    `log_likelihood` [rank, regimes] is that of held-out steps, of *all* coordinates, so that ranks
    compare; with `_low`, `_high` and `_each` as in `profile`. `gain` is what it has over that of the fewest
    regimes, text by text: believe a second regime where the interval of its gain is above 0, and ask then
    whether the gain is worth its d^2 numbers. `occupation` [rank, regimes, time, regime]: how probable each
    regime is along the way. Regimes have no order. Expectation and maximization, `iterations` of it from
    `starts` starts that `seed` draws. Cost: seconds to compile each pair.

    Raises ValueError for recordings that do not fit together, a text in both parts, a rank that is not below
    their dimension and the number of their steps, and without the extra `meanfield-jax[regimes]`.
    Source: Carson and Reisizadeh (2025), arXiv 2506.04374; the model: Linderman et al., dynamax.
    """
    counts, axes = _counts(regimes, "regimes"), _counts(ranks, "ranks")
    check_choice(along, ("layer", "token"), "along")
    number, seed = check_integer(tokens, "tokens"), check_integer(seed, "seed", 0)
    rounds, starts = check_integer(iterations, "iterations"), check_integer(starts, "starts")
    library()
    texts, others = check_parts(train, held_out)
    both = without_sinks([*texts, *others], sinks)
    parts = [_sequences(text, along, number) for text in both]
    time = min(len(part) for part in parts)
    parts = [part[:time].swapaxes(0, 1) for part in parts]
    fitted, kept = np.concatenate(parts[: len(texts)]), parts[len(texts) :]
    _check_sizes(fitted, max(axes))
    mean = fitted.mean(axis=(0, 1))
    basis = _principal(fitted - mean)
    each = np.zeros((len(kept), len(axes), len(counts)))
    shares = np.full((len(axes), len(counts), time - 1, max(counts)), np.nan)
    for i, rank in enumerate(axes):
        y, rest = _split(fitted - mean, basis, rank)
        for j, count in enumerate(counts):
            fit = fit_switching(y[:, :-1], y[:, 1:], count, rounds, starts, seed)
            told = [_told(fit, rest, text - mean, basis, rank) for text in kept]
            each[:, i, j] = [one[0] for one in told]
            shares[i, j, :, :count] = np.mean([one[1] for one in told], axis=0)
    gain = each - each[:, :, [int(np.argmin(counts))]]
    values = {
        name: (("rank", "regimes"), own) for name, own in zip(WORDS, (each, gain), strict=True)
    }
    found = xr.Dataset(with_intervals(values, WORDS, seed), {"rank": axes, "regimes": counts})
    words = {"long_name": "mean probability of each regime"}
    return found.assign(occupation=(("rank", "regimes", "time", "regime"), shares, words))


def _counts(values: Iterable[int], name: str) -> list[int]:
    if isinstance(values, str | type) or not isinstance(values, Iterable):
        raise ValueError(f"expected numbers for {name}, got {shown(values)}; pass {name}=(1, 2).")
    found = [check_integer(value, name) for value in values]
    if not found or len({*found}) < len(found):
        raise ValueError(
            f"expected different numbers for {name}, got {shown(values)}; pass {name}=(1, 2)."
        )
    return found


def _check_sizes(sequences: np.ndarray, rank: int) -> None:
    count, time, d = sequences.shape
    if time < 3 or not rank < min(d, count * (time - 1)):
        raise ValueError(
            f"expected three states or more of each sequence, and ranks below {min(d, count * (time - 1))}, "
            f"got {time} states and rank {rank}; record more, or pass smaller ranks."
        )


def _sequences(text: Recording, along: str, tokens: int) -> np.ndarray:
    """States [time, sequence, d] over the root mean square length of their layer."""
    states = np.asarray(text.states, np.float64)
    most = np.abs(states).max(axis=(1, 2), keepdims=True)
    if not most.all():
        raise ValueError(
            f"expected states that are not all 0 in a layer, got entry {int(most.argmin())}; leave it out by "
            ".select."
        )
    states = states / most  # whose squares may be out of range
    states = states / np.sqrt((states**2).sum(axis=2).mean(axis=1))[:, None, None]
    if along == "token":
        return states.swapaxes(0, 1)
    rows = np.unique(np.linspace(0, text.n - 1, min(tokens, text.n)).round().astype(int))
    return states[:, rows]


def _principal(centred: np.ndarray) -> np.ndarray:
    """Orthonormal axes [d, d], those of the largest variance first."""
    flat = centred.reshape(-1, centred.shape[-1])
    return np.linalg.eigh(flat.T @ flat)[1][:, ::-1]


def _split(centred: np.ndarray, basis: np.ndarray, rank: int) -> tuple[np.ndarray, tuple]:
    """Coordinates on the first axes, and mean and variance of the steps along the others."""
    steps = np.diff(centred @ basis[:, rank:], axis=1)
    mean = steps.mean(axis=(0, 1))
    variance = float(((steps - mean) ** 2).mean())
    if not variance > FLAT * float((centred**2).mean()):
        raise ValueError(
            f"expected steps off the first {rank} axes of train, got none but rounding; pass smaller ranks, "
            "or states that move."
        )
    return centred @ basis[:, :rank], (mean, variance)


def _told(
    fit: Switching, rest: tuple, text: np.ndarray, basis: np.ndarray, rank: int
) -> tuple[float, np.ndarray]:
    """The log likelihood of a text a step and dimension, and how its regimes are occupied."""
    y, (mean, variance) = text @ basis[:, :rank], rest
    steps = np.diff(text @ basis[:, rank:], axis=1)
    outside = -0.5 * (((steps - mean) ** 2) / variance + np.log(2 * np.pi * variance)).sum()
    inside = log_likelihood(fit, y[:, :-1], y[:, 1:]).sum()
    size = text.shape[0] * (text.shape[1] - 1) * text.shape[2]
    return float((inside + outside) / size), occupation(fit, y[:, :-1], y[:, 1:])
