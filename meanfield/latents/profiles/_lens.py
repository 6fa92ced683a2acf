from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._checks import check_instance, check_integer
from ..._typing import Points
from ..recordings import Corpus, Recording, check_corpus
from ._bootstrap import with_intervals

NAMES = {
    "entropy": "entropy of the words that the state names, nats",
    "divergence": "relative entropy of the last layer's words to them, nats",
    "agreement": "share of tokens whose likeliest word is that of the last layer",
    "loss": "mean of minus log probability of the next token, nats",
    "own": "share of tokens whose likeliest word is the token itself",
}


@runtime_checkable
class Reader(Protocol):
    """What reads words off states: a `Transformer`, or any object with such a method."""

    def logits(self, x: Any) -> Any:
        """Logits [n, vocabulary] of the states x [n, d]: by the final norm of *these* states."""
        ...


def lens(model: Reader, recordings: Corpus, tokens: int = 64, seed: int = 0) -> xr.Dataset:
    """What words the states of each layer name, if the last layers are left out: the logit lens.

        p_l = softmax(model.logits(x_l)),    entropy_l = -sum p_l log p_l,    divergence_l = KL(p_L | p_l)

    The final norm is applied to the states of each layer anew. `entropy`, `divergence`, `agreement` and,
    where the ids of tokens are known, `loss` and `own`: each [layer], with `_low` and `_high`, the ends of
    its 95 % bootstrap interval over texts, and `_each` [text, layer]. At the last layer the divergence is
    0; `own` is how often the token itself is named. `tokens` of each of the `recordings` are read, evenly
    spaced; `seed` draws the texts of the bootstrap.

    Raises ValueError for what has no logits of this shape, and ids that are none of its words.
    Source: nostalgebraist (2020), interpreting GPT: the logit lens; Ali et al. (2025), arXiv 2502.16570.
    """
    check_instance(model, Reader, "a model with logits", "pass mf.latents.read(path)")  # type: ignore[type-abstract]
    count, seed = check_integer(tokens, "tokens"), check_integer(seed, "seed", 0)
    texts = check_corpus(recordings)
    _check_words(model, texts)
    found = [_of_text(model, text, count) for text in texts]
    known = [name for name in NAMES if all(name in one for one in found)]
    values = {name: ("layer", np.stack([one[name] for one in found])) for name in known}
    return xr.Dataset(with_intervals(values, NAMES, seed), {"layer": texts[0].layers})


def _check_words(model: Reader, texts: list[Recording]) -> None:
    """Refuses logits that are none, and ids beyond them."""
    x = texts[0].cloud(0)[:1]
    try:
        found = eqx.filter_eval_shape(lambda x: model.logits(x), x)
        shape, kind = jnp.shape(found), getattr(found, "dtype", np.dtype(int))
    except (TypeError, ValueError, IndexError) as error:
        got = f"{type(error).__name__}: {' '.join(str(error).split())[:60]}"
        raise ValueError(
            f"expected logits by jax.numpy of states [n, {texts[0].d}], got {got}; mend model.logits."
        ) from error
    if len(shape) != 2 or shape[0] != 1 or not jnp.issubdtype(kind, jnp.floating):
        raise ValueError(
            f"expected real logits of shape [1, vocabulary] of one state, got {kind} of shape "
            f"{list(shape)}; mend model.logits."
        )
    for text in texts:
        ids = np.zeros(1, int) if text.tokens is None else text.tokens
        if ids.min() < 0 or ids.max() >= shape[1]:
            raise ValueError(
                f"expected ids from 0 to {shape[1] - 1}, of the words of the model, got {ids.min()} to "
                f"{ids.max()}; record them anew, or leave out tokens."
            )


def _of_text(model: Reader, text: Recording, count: int) -> dict[str, np.ndarray]:
    """The quantities above at each layer of one text."""
    rows = np.unique(np.linspace(0, text.n - 1, min(count, text.n)).round().astype(int))
    last = _log_words(model, text.cloud(len(text.states) - 1)[rows])
    own, following = _ids(text, rows)
    layers = [
        _facts(model, text.cloud(entry)[rows], last, own, following)
        for entry in range(len(text.states))
    ]
    return {k: np.array([float(one[k]) for one in layers]) for k in layers[0]}


def _ids(text: Recording, rows: np.ndarray) -> tuple[Any, Any]:
    """The ids of the tokens in these rows, and of those after them, -1 where that is not known."""
    if text.tokens is None:
        return None, None
    ids = dict(zip(text.positions.tolist(), text.tokens.tolist(), strict=True))
    after = [ids.get(int(place) + 1, -1) for place in text.positions[rows]]
    return jnp.asarray(text.tokens[rows]), jnp.asarray(after)


@eqx.filter_jit
def _log_words(model: Reader, x: Points) -> Float[Array, "n vocabulary"]:
    return jax.nn.log_softmax(model.logits(x))


@eqx.filter_jit
def _facts(model: Reader, x: Points, last, own, following) -> dict[str, Array]:
    logs = jax.nn.log_softmax(model.logits(x))
    best, shares = logs.argmax(axis=1), jnp.exp(last)
    # what has no share adds nothing, whatever its logarithm; no number stays none
    weighed = lambda p, of: jnp.where(p == 0, 0, p * of).sum(axis=1).mean()
    lost = jnp.where(jnp.isnan(logs).any(axis=1), jnp.nan, jnp.zeros((), x.dtype))
    found = {
        "entropy": -weighed(jnp.exp(logs), logs),
        "divergence": weighed(shares, last - logs),
        "agreement": ((best == last.argmax(axis=1)).astype(x.dtype) + lost).mean(),
    }
    if own is None:
        return found
    known = following >= 0
    said = jnp.take_along_axis(logs, jnp.maximum(following, 0)[:, None], axis=1)[:, 0]
    found["loss"] = -jnp.where(known, said, 0).sum() / known.sum().astype(x.dtype)
    return found | {"own": ((best == own).astype(x.dtype) + lost).mean()}
