"""Valid calls of recordings of real transformers."""

from types import SimpleNamespace

import numpy as np
import small_models

from catalogue.entry import entry
from catalogue.scratch import scratch
from meanfield.latents import Linear, Recording, read

STATES = np.random.default_rng(0).normal(size=(3, 4, 5))
RECORDING = Recording(STATES, tokens=np.array([7, 1, 7, 2]))
FILE = scratch() / "states.npy"
np.save(FILE, STATES)
OUTPUTS = SimpleNamespace(hidden_states=tuple(STATES[:, None]))
CACHE = {f"blocks.{k}.hook_resid_pre": STATES[k] for k in range(2)}
CACHE["blocks.1.hook_resid_post"] = STATES[2]
WEIGHTS = small_models.write_llama(FILE.with_name("a.gguf"))
TOY = read(WEIGHTS)
IDS = np.array([1, 0, 5])
FIELDS = {"axes": "field", "tokens": "field", "model": "field", "path": "field"}
OF = {"states": "array", **FIELDS}

CLOUDS = Recording(np.random.default_rng(1).normal(size=(2, 9, 3)))

MODEL = SimpleNamespace(
    logits=lambda x: x, attention=lambda layer, x: np.full((1, len(x), len(x)), 1 / len(x))
)
OF_MODEL = {"tokens": "count", "model": "object"}
FIT = {"train": CLOUDS, "held_out": Recording(2 * CLOUDS.states)}

ENTRIES = [
    entry(
        "latents.paths",
        recordings=[CLOUDS, CLOUDS],
        layer=1,
        positions=[1, 4],
        onto=np.eye(2, 3),
        fine_={("layer", "zero")},
    ),
    *(
        entry(f"latents.{name}", single_=1000.0)
        for name in ("Constant", "Linear", "Quadratic", "Writes")
    ),
    entry(
        "latents.AttentionPotential",
        single_=1000.0,
        beta=2.0,
        causal=False,
        kinds_={"beta": "nonnegative"},
    ),
    entry(
        "latents.fit_drift",
        **FIT,
        family=Linear(),
        layer=0,
        ridges=[0.1],
        sinks=9.0,
        seed=0,
        fine_={("sinks", "None"), ("layer", "zero"), ("layer", "None")},
    ),
    entry(
        "latents.fit_regimes",
        **FIT,
        regimes=[1],
        ranks=[1],
        along="token",
        tokens=4,
        sinks=9.0,
        iterations=1,
        starts=1,
        seed=0,
        kinds_={"tokens": "count", "starts": "count"},
        fine_={("sinks", "None")},
    ),
    entry(
        "latents.lines_of_thought",
        **FIT,
        ridge=0.1,
        sinks=9.0,
        fine_={("sinks", "None")},
    ),
    entry("latents.lens", model=MODEL, recordings=CLOUDS, tokens=3, seed=0, kinds_=OF_MODEL),
    entry(
        "latents.marginals",
        model=MODEL,
        recordings=CLOUDS,
        sinks=9.0,
        seed=0,
        fine_={("sinks", "None")},
        kinds_=OF_MODEL,
    ),
    entry(
        "latents.profile",
        recordings=CLOUDS,
        betas=[2.0],
        scales=[0.5],
        sinks=9.0,
        seed=0,
        fine_={("sinks", "None")},
    ),
    entry("latents.example"),
    entry("latents.trained", attention="softmax", kinds_={"attention": "field"}),
    entry("latents.read", path=WEIGHTS, kinds_=FIELDS),
    entry(
        "latents.Transformer.record",
        TOY.record,
        tokens=IDS,
        kinds_={"tokens": "field"},
        fine_={("tokens", "text")},
    ),
    entry("latents.Transformer.layer", TOY.layer, layer=1, fine_={("layer", "zero")}),
    entry("latents.Transformer.flow", TOY.flow, layer=1, fine_={("layer", "zero")}),
    entry("latents.Recording", states=STATES, kinds_=OF),
    entry("latents.from_arrays", states=STATES, axes="layer token dim", kinds_=OF),
    entry("latents.from_transformers", outputs=OUTPUTS, kinds_={"outputs": "field"}),
    entry("latents.from_transformer_lens", cache=CACHE),
    entry("latents.load", path=FILE, axes="layer token dim", kinds_=FIELDS),
    entry("latents.Recording.cloud", RECORDING.cloud, layer=1, fine_={("layer", "zero")}),
    entry("latents.Recording.sinks", RECORDING.sinks, ratio=3.0),
    entry("latents.Recording.drop", RECORDING.drop, positions=[0]),
    entry("latents.Recording.select", RECORDING.select, layers=[0, 2], kinds_={"layers": "field"}),
]
