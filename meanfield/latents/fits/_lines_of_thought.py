import numpy as np
import xarray as xr

from ..._checks import check_positive
from ..recordings import Corpus, check_parts, sinks_of

LARGEST = 1e140
"""Of states: sums of their squares over any text are numbers."""


def lines_of_thought(
    train: Corpus, held_out: Corpus, ridge: float = 0.03, sinks: float | None = 5.0
) -> xr.Dataset:
    """What an affine map from each layer to the next does not say of states, layer by layer.

        x_{l+1} ~ W_l x_l + c_l,    residual_l = mean |x_{l+1} - W_l x_l - c_l|^2 / d  on held-out texts

    `residual`, beside the variance `spread` of the later states, and `residual_each` [text, step]. W_l is
    fitted to the train texts by least squares with `ridge` times the mean variance. If tokens move as an
    ensemble with noise that grows exponentially, log residual is linear in depth.

    `held_out` are texts that W_l has not seen; tokens longer than `sinks` times the median of a layer
    are left out (None keeps them).

    Raises ValueError for recordings that do not fit together, a text in both parts, a single layer, and
    tokens that do not differ.
    Source: Sarfati, Liu, Boulle and Earls (2024), arXiv 2410.01545, section 4.
    """
    ridge = float(check_positive(ridge, "ridge", "pass ridge=0.03"))
    texts, others = check_parts(train, held_out)
    both = [*texts, *others]
    # Rows, not copies without the others: a corpus may be half of what memory holds.
    rows = [np.flatnonzero(~np.isin(text.positions, sinks_of(text, sinks))) for text in both]
    layers = texts[0].layers
    if len(layers) < 2:
        raise ValueError("expected two layers or more, got one; record another layer.")

    def clouds(entry: int) -> list[np.ndarray]:
        pairs = zip(both, rows, strict=True)
        return [np.asarray(text.states[entry][own], float) for text, own in pairs]

    steps = range(len(layers) - 1)
    found = [_step(clouds(k), clouds(k + 1), len(texts), ridge) for k in steps]
    each = np.array([one[0] for one in found]).T
    spread = [one[1] for one in found]
    sizes = np.array([len(own) for own in rows[len(texts) :]])
    weights = sizes / sizes.sum()
    words = "residual variance a dimension on held-out texts"
    return xr.Dataset(
        {
            "residual": ("step", weights @ each, {"long_name": words}),
            "residual_each": (("text", "step"), each, {"long_name": words}),
            "spread": ("step", spread, {"long_name": "variance a dimension of the later states"}),
        },
        {"step": layers[:-1]},
    )


def _step(
    before: list[np.ndarray], after: list[np.ndarray], count: int, ridge: float
) -> tuple[list[float], float]:
    """The mean squared residual of each text after `count` train texts, and the variance of all of them."""
    x, y = (np.concatenate(part[:count]) for part in (before, after))
    if max(np.abs(one).max() for one in (*before, *after)) > LARGEST:
        raise ValueError(
            f"expected states up to {LARGEST:g}, whose squares are numbers, got larger ones; divide them."
        )
    mean, later = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean, y - later
    gram = x.T @ x
    held = ridge * np.trace(gram) / len(gram)
    if not held > 0:
        raise ValueError("expected tokens that differ in train, got none; record more of them.")
    try:
        solved = np.linalg.solve(gram + held * np.eye(len(gram)), x.T @ y)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"expected a ridge beyond rounding for states in a subspace, got {ridge:g}; pass ridge=0.03."
        ) from error
    ends, starts = after[count:], before[count:]
    said = [later + (start - mean) @ solved for start in starts]
    residual = [float(((end - guess) ** 2).mean()) for end, guess in zip(ends, said, strict=True)]
    return residual, float(np.concatenate(ends).var(axis=0).mean())
