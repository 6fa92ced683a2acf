import numpy as np
import xarray as xr

from ..._checks import check_positive
from ..recordings import Corpus, Recording, check_corpus, without_sinks


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

    Raises ValueError for recordings that do not fit together, a single layer, and tokens that do not differ.
    Source: Sarfati, Liu, Boulle and Earls (2024), arXiv 2410.01545, section 4.
    """
    ridge = float(check_positive(ridge, "ridge", "pass ridge=0.03"))
    texts, others = check_corpus(train, "train"), check_corpus(held_out, "held_out")
    both = without_sinks(check_corpus([*texts, *others], "train and held_out"), sinks)
    texts, others = both[: len(texts)], both[len(texts) :]
    layers = texts[0].layers
    if len(layers) < 2:
        raise ValueError("expected two layers or more, got one; record another layer.")
    found = [_step(texts, others, k, ridge) for k in range(len(layers) - 1)]
    each = np.array([one[0] for one in found]).T
    spread = [one[1] for one in found]
    weights = np.array([text.n for text in others]) / sum(text.n for text in others)
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
    texts: list[Recording], others: list[Recording], entry: int, ridge: float
) -> tuple[list[float], float]:
    """The mean squared residual of each held-out text, and the variance of all of them together."""
    x, y = (np.concatenate([_cloud(text, entry + i) for text in texts]) for i in (0, 1))
    mean, later = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean, y - later
    gram = x.T @ x
    held = ridge * np.trace(gram) / len(gram)
    if not held > 0:
        raise ValueError("expected tokens that differ in train, got none; record more of them.")
    solved = np.linalg.solve(gram + held * np.eye(len(gram)), x.T @ y)
    ends = [_cloud(text, entry + 1) for text in others]
    said = [later + (_cloud(text, entry) - mean) @ solved for text in others]
    residual = [float(((end - guess) ** 2).mean()) for end, guess in zip(ends, said, strict=True)]
    return residual, float(np.concatenate(ends).var(axis=0).mean())


def _cloud(text: Recording, entry: int) -> np.ndarray:
    return np.asarray(text.states[entry], np.float64)
