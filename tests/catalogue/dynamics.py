"""Valid calls of the dynamics."""

import jax.numpy as jnp

from catalogue.entry import SAME_SIZE, entry
from catalogue.things import (
    CIRCLE,
    CLOUDS,
    DENSITY,
    ENERGY,
    FLAT_X,
    FLOW,
    HALVES,
    KEY,
    MATRIX,
    SOFTMAX,
    SPHERE,
    UNNORMALIZED,
    WAVE,
    W,
    X,
    bowl,
)  # fmt: skip
from meanfield.attention import L2, Sinkhorn, Softmax, window
from meanfield.dynamics import (
    ConsensusFlow,
    DebiasedPull,
    Drift,
    Early,
    Equiangular,
    ExactPull,
    FokkerPlanck,
    HarmonicMapFlow,
    MomentumFlow,
    NearSaddles,
    PostNorm,
    RandomValues,
    TwistedRing,
    TwoCluster,
)

AT_ZERO = jnp.zeros(())
PAIR = ConsensusFlow([FLOW, FLOW], 1.0)
EXACT = ConsensusFlow([FLOW, FLOW], 1.0, pull=ExactPull())
REDUCED = Equiangular(SOFTMAX, 8)
RANDOM = RandomValues(SPHERE, SOFTMAX)
RING = TwistedRing(Softmax(2.0, mask=window(5, 1, periodic=True)), 5, 1)
MAP = HarmonicMapFlow(SPHERE, 5, 0.5)
TWO = TwoCluster(SOFTMAX, HALVES)


def steer(t, x, args):
    """A control by a matrix."""
    return x @ MATRIX.T.astype(x.dtype)


def vectors(x):
    """A field on one point."""
    return jnp.array([1.0, 0.0, 0.0], x.dtype) * x[1]


ENTRIES = [
    entry(
        "dynamics.AttentionFlow",
        fine_={("noise", "None")},
        geometry=SPHERE,
        attention=SOFTMAX,
        normalization=PostNorm(),
        potential=bowl,
        noise=0.1,
        weights=W,
        mlp=None,
    ),
    *(
        entry(
            f"dynamics.{name}",
            fine_={("noise", "None")},
            geometry=SPHERE,
            noise=0.1,
            weights=W,
            **{what: force},
        )
        for name, what, force in (
            ("GradientFlow", "energy", ENERGY),
            ("Drift", "function", vectors),
            ("Control", "function", steer),
        )
    ),
    entry(
        "dynamics.RandomValues",
        geometry=SPHERE,
        attention=SOFTMAX,
        scale=1.0,
        pull=0.5,
        kinds_={"pull": "real"},
    ),
    entry(
        "dynamics.RandomValues.moments",
        RANDOM.moments,
        t=AT_ZERO,
        x=X,
        args=None,
        kinds_={"t": None, "args": None},
    ),
    entry("dynamics.MomentumFlow", geometry=SPHERE, attention=SOFTMAX, friction=0.5, weights=W),
    entry(
        "dynamics.MomentumFlow.kinetic",
        MomentumFlow(SPHERE, SOFTMAX, 0.5, W).kinetic,
        p=X,
        kinds_={"p": "points"},
        fine_={("p", "an empty cloud")},
    ),
    entry("dynamics.SinkhornFlow", geometry=SPHERE, attention=Sinkhorn(2.0), weights=W),
    entry("dynamics.ArcLength", flow=FLOW, speed=1.0, fine_={("speed", "zero")}),
    entry(
        "dynamics.ConsensusFlow",
        flows=[FLOW, FLOW],
        strength=1.0,
        gate=Early(1.0),
        pull=DebiasedPull(),
        shares=HALVES,
        kinds_={"gate": "function"},
        fine_={("strength", "negative")},
    ),
    *(
        entry(f"dynamics.{name}", epsilon=0.3, tol=1e-8)
        for name in ("BarycenterPull", "PairwisePull", "DebiasedPull")
    ),
    entry("dynamics.ExactPull"),
    entry("dynamics.Early", until=1.0, fine_={("until", "zero")}),
    entry("dynamics.NearSaddles", rate=0.5),
    entry("dynamics.Schedule", times=jnp.array([0.0, 1.0])),
    entry(
        "dynamics.hardmax_path",
        x0=FLAT_X,
        ts=jnp.array([0.0, 0.5]),
        matrix=jnp.eye(3),
        single_=None,
    ),
    entry("dynamics.Equiangular", attention=SOFTMAX, n=8),
    entry("dynamics.Equiangular.hitting_time", REDUCED.hitting_time, delta=1e-3, start=0.0),
    entry("dynamics.TwistedRing", attention=SOFTMAX, n=8, twists=1, fine_={("twists", "zero")}),
    entry("dynamics.TwistedRing.planar_rates", RING.planar_rates),
    entry("dynamics.TwistedRing.transverse_rates", RING.transverse_rates),
    entry(
        "dynamics.HarmonicMapFlow",
        geometry=SPHERE,
        n=5,
        diffusion=0.5,
        velocity=0.3,
        length=2.0,
        kinds_={"velocity": "real"},
    ),
    entry(
        "dynamics.HarmonicMapFlow.of_mask",
        HarmonicMapFlow.of_mask,
        geometry=SPHERE,
        mask=window(5, 1, periodic=True),
        length=2.0,
    ),
    entry(
        "dynamics.HarmonicMapFlow.energy",
        MAP.energy,
        h=SPHERE.sample(KEY, 5),
        kinds_={"h": "points"},
    ),
    entry("dynamics.TwoCluster", attention=SOFTMAX, masses=HALVES),
    entry("dynamics.TwoCluster.passage_time", TWO.passage_time, start=0.1, end=0.9),
    entry(
        "dynamics.GaussianFlow",
        attention=L2(2.0),
        noise=0.1,
        linear=MATRIX,
        constant=jnp.ones(3),
        fine_={("noise", "None")},
    ),
    entry(
        "dynamics.FokkerPlanck",
        fine_={("attention", "None")},
        basis=CIRCLE,
        attention=SOFTMAX,
        noise=0.1,
        potential=bowl,
    ),
    entry("dynamics.FokkerPlanck.sample", DENSITY.sample, key=KEY, coeffs=WAVE, n=4, single_=None),
    entry(
        "dynamics.FokkerPlanck.dissipation",
        FokkerPlanck(CIRCLE, UNNORMALIZED, 0.1).dissipation,
        coeffs=WAVE,
    ),
    entry("dynamics.FokkerPlanck.minimum", DENSITY.minimum, coeffs=WAVE),
    entry("dynamics.FokkerPlanck.velocity", DENSITY.velocity, coeffs=WAVE),
    entry(
        "dynamics.FokkerPlanck.from_particles",
        DENSITY.from_particles,
        x=CIRCLE.points[:5],
        w=W,
        smoothing=0.1,
        clouds_=(("x", "w"),),
    ),
    entry("dynamics.MixNorm", tau=1.0, fine_={("tau", "zero")}),
    entry("dynamics.NGPT", alpha=1.0),
    *(entry(f"dynamics.{name}") for name in ("PostNorm", "PreNorm", "PeriNorm", "SqrtNorm")),
    entry("dynamics.Sum", terms=(FLOW, Drift(SPHERE, vectors))),
    entry("dynamics.ConsensusFlow.control", PAIR.control, t=AT_ZERO, x=CLOUDS, kinds_={"t": None}),
    entry(
        "dynamics.ConsensusFlow.control.exact",
        EXACT.control,
        t=AT_ZERO,
        x=CLOUDS,
        kinds_={"t": None},
    ),
    entry("dynamics.ConsensusFlow.power", PAIR.power, t=AT_ZERO, x=CLOUDS, kinds_={"t": None}),
    entry(
        "dynamics.NearSaddles.__call__",
        NearSaddles(0.5).__call__,
        t=AT_ZERO,
        x=CLOUDS,
        velocity=CLOUDS[::-1],
        kinds_={"t": None, "velocity": None},
        collapses_=SAME_SIZE,
    ),
]
