import numpy as np
from jaxtyping import Float

from ..._checks import check_finite, check_integer
from ..._door import door
from ._corpus import Corpus, check_corpus


@door
def paths(
    recordings: Corpus,
    layer: int,
    positions: list[int],
    onto: Float[np.ndarray, "k d"] | None = None,
    directions: bool = True,
) -> Float[np.ndarray, "texts steps k"]:
    """The states of texts at one layer as paths over positions: a law of sequences, a text being a draw.

        x = mf.latents.paths(texts, layer=3, positions=[1, 2, 3], onto=axes)
        y = mf.latents.paths(same_texts_by_another_model, layer=3, positions=[1, 2, 3], onto=others)
        near = [mf.transport.adapted_empirical(jnp.asarray(p), spacing=0.1) for p in (x, y)]
        mf.transport.adapted_wasserstein(*near, epsilon=1e-3).value

    - `recordings`: texts of one model, each of which has these positions.
    - `layer`: its number, 0 for the embedding. `positions`: places in the text, in the order of the path.
    - `onto` [k, d]: what of a state is kept, onto x. The adapted distance needs many texts for each dimension
      and position: one or two of each. Of two models the axes have to mean the same.
    - `directions`: states over their lengths, of which attention behind a normalization sees no more.

    Raises ValueError for layers and positions that a text does not have, and directions of states of 0.
    Source: `adapted_wasserstein`.
    """
    texts, layer = check_corpus(recordings), check_integer(layer, "layer", 0)
    places = [check_integer(place, "positions", 0) for place in positions]
    if not places:
        raise ValueError("expected one position or more, got none; pass positions=[1, 2].")
    found = [_path(text, layer, places, directions) for text in texts]
    stacked = np.stack(found)
    if onto is None:
        return stacked
    axes = np.asarray(check_finite(onto, "onto"), stacked.dtype)
    if axes.shape[1] != stacked.shape[2]:
        raise ValueError(
            f"expected onto of shape [k, {stacked.shape[2]}], got {list(axes.shape)}; pass one axis a row."
        )
    return stacked @ axes.T


def _path(text, layer: int, places: list[int], directions: bool) -> np.ndarray:
    entries, columns = [*text.layers.tolist()], [*text.positions.tolist()]
    if layer not in entries:
        raise ValueError(f"expected a layer among {entries}, got {layer}; pass layer={entries[0]}.")
    missing = [place for place in places if place not in columns]
    if missing:
        raise ValueError(
            f"expected positions that each text has, got {missing[0]} for one of {text.n} tokens; pass "
            f"positions=[{columns[0]}], or longer texts."
        )
    cloud = np.asarray(text.cloud(entries.index(layer)))[[columns.index(place) for place in places]]
    if not directions:
        return cloud
    lengths = np.linalg.norm(cloud, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError(
            "expected states that have a direction, got one of length 0; pass directions=False."
        )
    return cloud / lengths
