"""Valid calls of attentions, masks and engines."""

import math

import jax.numpy as jnp
from jax.lax import DotAlgorithmPreset

from catalogue.entry import SAME_SIZE, entry
from catalogue.things import (
    BUMP,
    COV,
    FLAT_X,
    FLAT_Y,
    KEY,
    MATRIX,
    MEAN,
    SOFTMAX,
    ZONAL,
    V,
    X,
    Y,
)  # fmt: skip
from meanfield.attention import (
    L2,
    Additive,
    Blockwise,
    Dense,
    Gained,
    Hardmax,
    Harmonic,
    Layers,
    MultiHead,
    Nystrom,
    Prefixes,
    RandomBatch,
    RandomFeatures,
    Relu,
    Rotary,
    Sharded,
    Sinkhorn,
    Softmax,
    Unnormalized,
    alibi,
    causal,
    causal_columns,
    decay,
    window,
)
from meanfield.harmonics import SphericalHarmonics

CROSS = (("y", "w"),)
MATRICES = {"query": MATRIX, "key": MATRIX.T, "value": MATRIX}
OF_MATRICES = {"key": "matrix", "iterations": "count"}
VECTORS = dict.fromkeys(["gain", "bias", "query_bias", "key_bias"], "array") | {"outputs": "object"}
PLANE = X[:, :2]
LAYERS = Layers([Softmax(1.0), Softmax(2.0)], [0.0, 1.0])
ROWS = {"rows": None, "columns": None}
INDEX = jnp.arange(3)
SINKHORN = Sinkhorn(2.0)
FEATURES = {
    "Nystrom": Nystrom(4, KEY),
    "RandomBatch": RandomBatch(4, KEY),
    "RandomFeatures": RandomFeatures(64, KEY),
    "Harmonic": Harmonic(SphericalHarmonics(12)),
}
ATTENTIONS = {
    "Softmax": SOFTMAX,
    "Softmax.matrices": Softmax(2.0, **MATRICES),
    "Softmax.blockwise": Softmax(2.0, engine=Blockwise(2)),
    "Softmax.harmonic": Softmax(2.0, engine=FEATURES["Harmonic"]),
    "Softmax.nystrom": Softmax(2.0, engine=Nystrom(5, KEY)),
    "Unnormalized": Unnormalized(2.0),
    "L2": L2(2.0),
    "Relu": Relu(),
    "Hardmax": Hardmax(),
    "Softmax.places": Softmax(2.0, MATRIX[:2], MATRIX[1:], rotary=Rotary(), query_bias=MEAN[:2]),
    "MultiHead.outputs": MultiHead([Softmax(2.0, value=MATRIX[:2])], [MATRIX[:, :2]], MEAN),
    "Sinkhorn": SINKHORN,
    "MultiHead": MultiHead([Softmax(2.0), Softmax(1.0)]),
}
MASKED = {
    "causal": Sinkhorn(2.0, mask=causal(5)),
    "relaxed": Sinkhorn(2.0, mask=alibi(5, 0.5), tau=1.0),
}
GAUSSIAN = {"Softmax": SOFTMAX, "L2": L2(2.0), "Sinkhorn": SINKHORN}

ENTRIES = [
    entry("attention.Softmax", beta=2.0, engine=Dense(), kinds_=OF_MATRICES, **MATRICES),
    entry("attention.Unnormalized", beta=2.0, offset=0.5, kinds_=OF_MATRICES, **MATRICES),
    entry("attention.L2", beta=2.0, engine=Blockwise(2), kinds_=OF_MATRICES, **MATRICES),
    entry("attention.Prefixes", attention=SOFTMAX),
    entry(
        "attention.Prefixes.__call__", Prefixes(SINKHORN).__call__, x=X, w=V, collapses_=SAME_SIZE
    ),
    entry("attention.Prefixes.weights", Prefixes(SINKHORN).weights, x=X, w=V, collapses_=SAME_SIZE),
    entry("attention.Relu", value=MATRIX, kinds_=OF_MATRICES),
    entry(
        "attention.Sinkhorn", beta=2.0, tol=1e-6, max_iterations=200, kinds_=OF_MATRICES, **MATRICES
    ),
    entry(
        "attention.Sinkhorn.causal",
        Sinkhorn,
        beta=2.0,
        mask=causal(3),
        columns=causal_columns(3, 0.5),
        tau=1.0,
        kinds_={"columns": "array", "tau": "nonnegative"},
        fine_={("tau", "infinity"), ("tau", "None")},
    ),
    entry("attention.causal_columns", n=5, gain=0.5, kinds_={"gain": "positive"}),
    *(
        entry(
            f"attention.Sinkhorn.{name}.__call__",
            attention.__call__,
            x=X,
            w=V,
            collapses_=SAME_SIZE,
        )
        for name, attention in MASKED.items()
    ),
    entry("attention.Hardmax", kinds_=OF_MATRICES, **MATRICES),
    entry("attention.Hardmax.best", Hardmax().best, x=X, y=Y, w=V, single_=None),
    entry("attention.Hardmax.leaders", Hardmax().leaders, x=X, single_=None),
    entry("attention.Rotary", base=100.0, single_=None),
    entry(
        "attention.Rotary.__call__", Rotary(100.0).__call__, points=PLANE, kinds_={"points": None}
    ),
    entry("attention.Gained", attention=SOFTMAX, gain=MEAN, bias=MEAN, kinds_=VECTORS),
    entry(
        "attention.Gained.__call__", Gained(SOFTMAX, MEAN).__call__, x=X, y=Y, w=V, clouds_=CROSS
    ),
    entry(
        "attention.Softmax.rotary",
        Softmax,
        beta=2.0,
        query_bias=MEAN,
        key_bias=MEAN,
        kinds_=VECTORS,
    ),
    entry("attention.Softmax.weights", SOFTMAX.weights, x=X, y=Y, w=V),
    entry(
        "attention.MultiHead.outputs",
        MultiHead,
        heads=[SOFTMAX],
        outputs=[MATRIX],
        bias=MEAN,
        kinds_=VECTORS,
    ),
    entry("attention.MultiHead", heads=[Softmax(1.0), Softmax(2.0)]),
    entry("attention.Varying", function=lambda t: Softmax(1.0 + t)),
    entry("attention.Layers", layers=[Softmax(1.0), Softmax(2.0)], times=jnp.array([0.0, 1.0])),
    entry(
        "attention.attention_at",
        attention=LAYERS,
        t=jnp.asarray(0.5),
        kinds_={"t": None, "attention": None},
    ),
    entry("attention.Dense"),
    entry("attention.Blockwise", block=2),
    entry("attention.Fused", interpret=True),
    entry("attention.Harmonic", basis=SphericalHarmonics(4), accuracy=1e-9),
    entry("attention.Harmonic.of", Harmonic.of, beta=2.0, d=3, accuracy=1e-9),
    entry(
        "attention.Harmonic.fitted",
        Harmonic.fitted,
        attention=SOFTMAX,
        x=X,
        accuracy=1e-3,
        collapses_=(),
    ),
    entry("attention.Guarded", quick=Harmonic(SphericalHarmonics(4)), exact=Dense()),
    entry("attention.Nystrom", rank=4, key=KEY),
    entry("attention.Rounded", engine=Dense(), products=DotAlgorithmPreset.BF16_BF16_F32_X3),
    entry("attention.RandomBatch", size=4, key=KEY),
    entry("attention.RandomFeatures", count=16, key=KEY),
    entry("attention.Sharded"),
    entry("attention.Sharded.engine", Sharded, engine=Blockwise(2)),
    entry("attention.causal", n=3),
    entry("attention.alibi", n=3, slope=0.5),
    entry(
        "attention.window", n=5, radius=1, kinds_={"radius": "count"}, fine_={("radius", "zero")}
    ),
    entry("attention.decay", n=5, rate=0.5, fine_={("rate", "zero")}),
    entry("attention.Window.bias", window(3, 1).bias, rows=INDEX, columns=INDEX, kinds_=ROWS),
    entry("attention.Decay.bias", decay(3, 0.5).bias, rows=INDEX, columns=INDEX, kinds_=ROWS),
    entry("attention.Causal.bias", causal(3).bias, rows=INDEX, columns=INDEX, kinds_=ROWS),
    entry("attention.Alibi.bias", alibi(3, 0.5).bias, rows=INDEX, columns=INDEX, kinds_=ROWS),
    entry("attention.Additive", matrix=jnp.zeros((3, 3)), fine_={("matrix", "booleans")}),
    entry(
        "attention.Additive.bias",
        Additive(jnp.zeros((3, 3))).bias,
        rows=INDEX,
        columns=INDEX,
        kinds_=ROWS,
    ),
    entry(
        "attention.Sums",
        shift=jnp.zeros(3),
        mass=jnp.ones(3),
        moment=jnp.ones((3, 2)),
        kinds_={"shift": None, "mass": None, "moment": None},
        single_=None,
        collapses_=(),
    ),
    entry("attention.check_isotropic", attention=SOFTMAX, d=3, fine_={("attention", "None")}),
    entry("attention.exponential", beta=jnp.asarray(2.0)),
    entry(
        "attention.doubly_stochastic_potential",
        beta=jnp.asarray(2.0),
        basis=ZONAL,
        coeffs=BUMP,
    ),
    entry("attention.smoothed", beta=jnp.asarray(2.0), basis=ZONAL, coeffs=BUMP),
    entry("attention.Sinkhorn.plan", SINKHORN.plan, x=X, y=Y, w=V),
    entry("attention.Sinkhorn.solve", SINKHORN.solve, x=X, y=Y, w=V),
    entry("attention.Softmax.problem", SOFTMAX.problem, x=X, y=Y, w=V, collapses_=()),
    entry("attention.Softmax.log_mass", SOFTMAX.log_mass, x=X, y=Y, w=V, clouds_=CROSS),
    entry("attention.Softmax.engine_for", SOFTMAX.engine_for, n=5),
    *(
        entry(f"attention.{name}.__call__", attention.__call__, x=x, y=y, w=V, clouds_=CROSS)
        for name, attention in ATTENTIONS.items()
        for x, y in [(FLAT_X, FLAT_Y) if name == "L2" else (X, Y)]
    ),
    *(
        entry(f"attention.{name}.mean_field", attention.mean_field, basis=ZONAL, coeffs=BUMP)
        for name, attention in GAUSSIAN.items()
        if name != "L2"
    ),
    *(
        entry(f"attention.{name}.gaussian_field", attention.gaussian_field, mean=MEAN, cov=COV)
        for name, attention in GAUSSIAN.items()
    ),
    *(
        entry(
            f"attention.{name}.relative_error",
            engine.relative_error,
            attention=SOFTMAX,
            x=X,
            slow_=True,
            # What is drawn at random depends on the precision.
            single_=1000.0 if name == "Harmonic" else math.inf,
        )
        for name, engine in FEATURES.items()
    ),
]
