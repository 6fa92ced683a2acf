"""Valid calls of the schemes and the verbs."""

import jax.numpy as jnp

import meanfield as mf
from catalogue.entry import entry
from catalogue.things import (
    CIRCLE,
    CLOUDS,
    DENSITY,
    ENERGY,
    FLAT,
    FLOW,
    KEY,
    LINE_ENERGY,
    ROW,
    SOFTMAX,
    SPHERE,
    TS,
    WAVE,
    W,
    X,
    bowl,
)  # fmt: skip
from meanfield.attention import Softmax
from meanfield.dynamics import (
    AttentionFlow,
    ConsensusFlow,
    Equiangular,
    PostNorm,
    PreNorm,
)
from meanfield.energies import InternalEnergy
from meanfield.schemes import (
    Biased,
    EntropicJKO,
    ParticleJKO,
    QuantileJKO,
    Richardson,
    ScharfetterGummel,
    SecondOrderJKO,
    TransformerLayers,
)
from meanfield.transport import Box


def _power(key, n):
    return n**-0.5


PAIR = ConsensusFlow([FLOW, FLOW], 1.0)
REDUCED = Equiangular(SOFTMAX, 8)
FLAT_DENSITY = WAVE.at[1:].set(0)
LOOSE = {"args": None, "progress": None, "throw": None, "observe": None}
BOX = Box(-2.0, 2.0, 8)
SCHEMES = [
    *(entry(f"schemes.{name}") for name in ("Biased", "Debiased", "Richardson")),
    entry(
        "schemes.EntropicJKO",
        domain=BOX,
        energy=LINE_ENERGY,
        tau=0.5,
        epsilon=0.5,
        bias=Biased(),
        rounds=1,
        tol=1e-8,
        max_iterations=200,
    ),
    entry("schemes.ParticleJKO", geometry=SPHERE, energy=-ENERGY, tau=0.1, weights=W),
    entry("schemes.QuantileJKO", energy=LINE_ENERGY, tau=0.1),
    entry("schemes.SecondOrderJKO", energy=InternalEnergy(2.0), tau=0.1),
    entry(
        "schemes.ScharfetterGummel",
        fine_={("attention", "None")},
        basis=CIRCLE,
        attention=SOFTMAX,
        noise=0.1,
        tau=0.01,
        cells=16,
        potential=bowl,
    ),
    entry(
        "schemes.TransformerLayers", d=3, attention=SOFTMAX, normalization=PostNorm(), step_size=0.1
    ),
    entry(
        "schemes.RandomLayers",
        d=3,
        attention=SOFTMAX,
        key=KEY,
        scale=1.0,
        step_size=0.1,
        pull=0.5,
        kinds_={"pull": "real"},
        single_=None,
    ),
]
GAUSS = BOX.evaluate(lambda x: jnp.exp(-(x[0] ** 2)))
ROLLED = {
    "QuantileJKO": (QuantileJKO(LINE_ENERGY, 0.1), ROW),
    "SecondOrderJKO": (SecondOrderJKO(InternalEnergy(2.0), 0.1), ROW),
    "ParticleJKO": (ParticleJKO(SPHERE, -ENERGY, 0.1), X),
    "TransformerLayers": (TransformerLayers(3, SOFTMAX, PreNorm(), 0.1), X),
    "ScharfetterGummel": (ScharfetterGummel(CIRCLE, SOFTMAX, 0.1, 0.01, cells=8), jnp.ones(8)),
    "EntropicJKO": (EntropicJKO(BOX, LINE_ENERGY, 0.5, 0.5, Richardson()), GAUSS),
}
FLOWN = {
    "AttentionFlow": (FLOW, X),
    "AttentionFlow.flat": (AttentionFlow(FLAT, Softmax(-1.0)), X),
    "FokkerPlanck": (DENSITY, WAVE),
    "Equiangular": (REDUCED, jnp.asarray(0.1)),
    "ConsensusFlow": (PAIR, CLOUDS),
}
SOLVE = [
    entry("solve.DirectAdjoint", single_=None),
    entry("solve.ExponentialRK4", single_=None),
    entry("solve.ForwardMode", single_=None),
    entry("solve.GeodesicEuler", geometry=SPHERE),
    entry("solve.GeodesicLM", geometry=SPHERE),
    entry(
        "solve.simulate",
        slow_=True,
        dynamics=FLOW,
        x0=X,
        ts=TS,
        tol=1e-6,
        max_steps=100,
        kinds_=LOOSE,
        clouds_=(),
    ),
    entry(
        "solve.simulate.noise",
        mf.simulate,
        slow_=True,
        dynamics=AttentionFlow(SPHERE, SOFTMAX, noise=0.1),
        x0=X,
        ts=TS,
        dt=0.1,
        key=KEY,
        kinds_=LOOSE,
        single_=None,
    ),
    entry(
        "solve.simulate.merge",
        mf.simulate,
        slow_=True,
        dynamics=FLOW,
        x0=X,
        ts=TS,
        merge=1e-6,
        kinds_=LOOSE,
    ),
    entry(
        "solve.sweep",
        function=_power,
        grid={"n": [1, 2]},
        seeds=2,
        fit="n",
        single_=None,
        fine_={("function", "a function of text")},
        kinds_={"grid": None, "seeds": None, "fit": None},
    ),
    entry(
        "solve.rollout",
        slow_=True,
        scheme=ROLLED["QuantileJKO"][0],
        x0=ROW,
        steps=2,
        kinds_=LOOSE | {"x0": "array"},
    ),
    *(
        entry(
            f"solve.simulate.{name}",
            mf.simulate,
            dynamics=flow,
            x0=start,
            ts=TS,
            slow_=True,
            kinds_={"dynamics": None, "ts": None, "x0": "array"},
        )
        for name, (flow, start) in FLOWN.items()
    ),
    *(
        entry(
            f"solve.rollout.{name}",
            mf.rollout,
            scheme=scheme,
            x0=start,
            steps=1,
            slow_=True,
            kinds_={"scheme": None, "steps": None, "x0": "array"},
        )
        for name, (scheme, start) in ROLLED.items()
    ),
]
ENTRIES = SCHEMES + SOLVE
