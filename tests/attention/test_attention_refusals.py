"""Attentions, masks, engines and schedules that cannot be are refused with a remedy."""

import jax
import jax.numpy as jnp
from refusals import check_refused, each_of

import meanfield as mf
from meanfield.attention import (
    Dense,
    Layers,
    MultiHead,
    Softmax,
    Varying,
    causal,
)
from meanfield.dynamics import AttentionFlow
from meanfield.geometry import Sphere

X = jnp.eye(3)
TS = jnp.array([0.0, 1.0])
NAN = float("nan")
FLAT = Softmax(1.0, value=X[:2])


def run(attention):
    return mf.simulate(AttentionFlow(Sphere(3), attention), X, TS)


def masked(mask):
    return Softmax(1.0, mask=mask)(X)


# What is wrong, the call, and words of the remedy.
TABLE = [
    ("mask of another size", lambda: masked(causal(4)), "for this number of tokens"),
    ("mask with an empty row", lambda: masked(jnp.eye(3, dtype=bool).at[0].set(False)), "itself"),
    ("mask with NaN", lambda: masked(jnp.full((3, 3), NAN)), "forbid with -inf"),
    ("mask of a row", lambda: masked(jnp.ones(3, bool)), "use causal(n)"),
    ("mask of whole numbers", lambda: masked(jnp.ones((3, 3), int)), ".astype(bool)"),
    ("query of another width", lambda: Softmax(1.0, query=jnp.eye(4))(X), "its columns are d"),
    (
        "query and key that do not meet",
        lambda: Softmax(1.0, query=jnp.ones((2, 3)), key=jnp.ones((4, 3))),
        "same number of rows",
    ),
    ("a value for each head", lambda: Softmax(1.0, value=jnp.ones((2, 3, 3))), "use MultiHead"),
    (
        "value into another space",
        lambda: run(FLAT),
        "square",
    ),
    ("heads into another space", lambda: run(MultiHead([FLAT])), "square"),
    ("layers into another space", lambda: run(Layers([FLAT], [0.0])), "square"),
    ("a later value into another space", lambda: run(Varying(lambda t: FLAT)), "square"),
    ("heads apart", lambda: MultiHead([Softmax(1.0), FLAT])(X), "as many rows"),
    ("a token alone", lambda: Softmax(1.0)(X[0]), "one token a row"),
    ("keys of another space", lambda: Softmax(1.0)(X, jnp.ones((4, 2))), "as many columns"),
    ("no heads", lambda: MultiHead([]), "MultiHead([Softmax(1.0)])"),
    (
        "dense matrix beyond memory",
        lambda: jax.eval_shape(
            Softmax(1.0, engine=Dense()), jax.ShapeDtypeStruct((10_000_000, 3), jnp.float64)
        ),
        "use engine=Blockwise()",
    ),
    ("layers out of order", lambda: Layers([Softmax(1.0)] * 2, TS[::-1]), "sort the layers"),
    ("layers without times", lambda: Layers([Softmax(1.0)] * 3, TS), "each layer begins"),
    (
        "layers of two kinds",
        lambda: Layers([Softmax(1.0), Softmax(1.0, value=X)], TS),
        "the identity where one has none",
    ),
]


@each_of(TABLE)
def test_what_cannot_be_is_refused_with_a_remedy(call, remedy):
    check_refused(call, remedy)
