"""Hidden states as other libraries hand them out."""

import re
from typing import Any

import numpy as np

from ..._checks import check_choice, shown
from ._arrays import as_numpy
from ._recording import Recording

AXES = ("layer", "token", "dim")


def from_arrays(
    states: Any, axes: Any, tokens: Any = None, mid: Any = None, model: str = ""
) -> Recording:
    """A recording from an array of hidden states, of numpy, jax or torch.

    `axes` names its axes in their order, as in `from_arrays(a, axes="layer token dim")`: no shape tells
    them apart. `mid` has the same order, and one layer fewer. `tokens` and `model` are kept beside them.

    Raises ValueError for other names, and as `Recording` does. States after a final norm do not belong:
    leave that entry out.
    """
    order = axes_of(axes)
    middle = None if mid is None else _ordered(mid, order, "mid")
    return Recording(_ordered(states, order, "states"), tokens=tokens, mid=middle, model=model)


def from_transformers(
    outputs: Any, last: str = "normed", tokens: Any = None, model: str = ""
) -> Recording:
    """A recording from what a model of the transformers library returns with output_hidden_states=True.

    The last of its hidden states is after the final norm, in decoders of GPT-2's, Llama's and most
    other families: it is dropped with last="normed", so that the recording ends before the last
    layer. `outputs` are what the model returns, `tokens` are kept beside them. Encoders that normalize
    within layers have no final norm: last="raw" keeps it.

    Raises ValueError without hidden states, for more than one text (padding would be recorded), and
    for another `last`.
    """
    check_choice(last, ("normed", "raw"), "last")
    hidden = getattr(outputs, "hidden_states", None)
    if not isinstance(hidden, tuple | list) or len(hidden) < 2:
        raise ValueError(
            f"expected an output with hidden_states, got {shown(outputs)}; call the model with "
            "output_hidden_states=True."
        )
    kept = hidden[:-1] if last == "normed" else hidden
    return Recording(np.stack([_one_text(h) for h in kept]), tokens=_ids(tokens), model=model)


def from_transformer_lens(cache: Any, tokens: Any = None, model: str = "") -> Recording:
    """A recording from the cache of a run with TransformerLens: model.run_with_cache(text)[1].

    States are `hook_resid_pre` of each block and `hook_resid_post` of the last; `hook_resid_mid`, where
    all are there, makes `mid`. `tokens` are kept beside them.

    Raises ValueError for a cache without them, or of more than one text.
    """
    names = [] if isinstance(cache, type) or not hasattr(cache, "keys") else [*cache.keys()]
    count = sum(
        re.fullmatch(r"blocks\.\d+\.hook_resid_pre", str(name)) is not None for name in names
    )
    wanted = [f"blocks.{number}.hook_resid_pre" for number in range(count)]
    wanted.append(f"blocks.{count - 1}.hook_resid_post")
    if absent := [name for name in wanted if name not in names]:
        raise ValueError(
            f"expected a cache with the residual stream of all blocks, got one without {absent[0]}; "
            "run the model with its hooks hook_resid_pre and hook_resid_post."
        )
    middle = [f"blocks.{number}.hook_resid_mid" for number in range(count)]
    mid = _stack(cache, middle) if {*middle} <= {*names} else None
    return Recording(_stack(cache, wanted), tokens=_ids(tokens), mid=mid, model=model)


def axes_of(axes: Any) -> list[int]:
    """Where layer, token and dim stand among the axes that a string names."""
    words = axes.split() if isinstance(axes, str) else []
    if sorted(words) != sorted(AXES):
        raise ValueError(
            f"expected axes to name layer, token and dim in the order of the array, got "
            f"{shown(axes)}; pass axes='layer token dim', say."
        )
    return [words.index(name) for name in AXES]


def _ordered(array: Any, order: list[int], name: str) -> np.ndarray:
    found = as_numpy(array, name)
    if found.ndim != 3:
        raise ValueError(
            f"expected {name} with three axes, got shape {list(found.shape)}; pass one text at a time."
        )
    return found.transpose(order)


def _stack(cache: Any, names: list[str]) -> np.ndarray:
    return np.stack([_one_text(cache[name]) for name in names])


def _one_text(states: Any) -> np.ndarray:
    """The states [token, dim] of the only text in a batch."""
    found = as_numpy(states, "hidden states")
    if found.ndim == 3 and len(found) == 1:
        return found[0]
    if found.ndim != 2:
        raise ValueError(
            f"expected the hidden states of one text, got shape {list(found.shape)}; run one text "
            "at a time, for padding would be recorded too."
        )
    return found


def _ids(tokens: Any) -> Any:
    """The ids of the only text in a batch."""
    shape = getattr(tokens, "shape", ())
    return tokens[0] if tokens is not None and len(shape) == 2 and shape[0] == 1 else tokens
