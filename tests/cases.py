"""One small instance of every public dynamics and scheme: a line here buys every contract test.

The contracts, in tests/contracts, are what the verbs rely on: drifts are tangent, shapes and dtypes
are kept, symmetries hold, jit and vmap change nothing, gradients are right, nothing is traced twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from unit_vectors import normal, tangent, unit_vectors

from meanfield.attention import (
    L2,
    Blockwise,
    Layers,
    MultiHead,
    Sinkhorn,
    Softmax,
    Unnormalized,
    Varying,
    alibi,
    causal,
    window,
)
from meanfield.dynamics import (
    NGPT,
    AbstractDynamics,
    ArcLength,
    AttentionFlow,
    ConsensusFlow,
    Control,
    DebiasedPull,
    Drift,
    Equiangular,
    FokkerPlanck,
    GaussianFlow,
    GradientFlow,
    HarmonicMapFlow,
    MixNorm,
    MomentumFlow,
    PeriNorm,
    PostNorm,
    PreNorm,
    RandomValues,
    SinkhornFlow,
    SqrtNorm,
    TwistedRing,
    TwoCluster,
)
from meanfield.energies import Entropy, Interaction, InternalEnergy, Potential
from meanfield.geometry import Euclidean, Product, Sphere
from meanfield.harmonics import Fourier
from meanfield.schemes import (
    AbstractScheme,
    EntropicJKO,
    ParticleJKO,
    QuantileJKO,
    RandomLayers,
    ScharfetterGummel,
    SecondOrderJKO,
    TransformerLayers,
)
from meanfield.transport import Box

N, D = 5, 3


@dataclass(frozen=True)
class Case:
    """A system and a start for it.

    `make(a)` is the system with its numbers scaled by a: a = 1 is the one that is tested, another a
    must not be compiled anew. `rotates` and `permutes` say which symmetries it has; `learned`, that
    it holds parameters of the user's own, which are not cast to the dtype of the tokens.
    """

    name: str
    make: Callable[[float], AbstractDynamics | AbstractScheme]
    start: Any
    rotates: bool = False
    permutes: bool = False
    learned: bool = False
    args: Any = None

    @cached_property
    def system(self) -> Any:
        return self.make(1.0)

    @cached_property
    def state(self) -> Any:
        """The start as the system takes it."""
        return self.system.check(self.start)


def _bowl(x):
    return 0.5 * x[0] ** 2 + x[1]


def _steer(t, x, args):
    return x @ args.T


def _wave(points):
    return 1 + 0.5 * points[..., 0]


def _turning(a):
    return Varying(lambda t: Softmax(2.0 * a, value=jnp.cos(t) * jnp.eye(D, dtype=t.dtype)))


SPHERE, FLAT, CIRCLE = Sphere(D), Euclidean(D), Fourier(8)
KEY = jax.random.key(0)
X = unit_vectors(0, N, D)
TANGENT = tangent(4, X)
R = jnp.asarray(np.linspace(0.5, 1.5, N))
W = jnp.array([0.1, 0.3, 0.2, 0.15, 0.25])
MATRIX = normal(1, D, D)
ALLOWED = np.tri(N, dtype=bool) | np.eye(N, k=2, dtype=bool)
MLP = eqx.nn.MLP(D, D, 8, 1, jax.nn.tanh, key=jax.random.key(2))
PLACED = Product(SPHERE, Euclidean(1))
RING = window(N, 1, periodic=True)
TURNING = _turning(1.0)  # a function made anew would be compiled anew


def flow(attention, **options) -> AttentionFlow:
    return AttentionFlow(SPHERE, attention, **options)


FLOWS = [
    Case("softmax", lambda a: flow(Softmax(2 * a)), X, True, True),
    Case("unnormalized", lambda a: flow(Unnormalized(2 * a, offset=a)), X, True, True),
    Case("blockwise", lambda a: flow(Softmax(2 * a, engine=Blockwise(2))), X, True, True),
    Case("matrices", lambda a: flow(Softmax(a, MATRIX, a * MATRIX.T, MATRIX)), X, False, True),
    Case("sinkhorn", lambda a: flow(Sinkhorn(2 * a, tol=1e-13)), X, True, True),
    Case(
        "sinkhorn flow", lambda a: SinkhornFlow(SPHERE, Sinkhorn(2 * a, tol=1e-13)), X, True, True
    ),
    Case("heads", lambda a: flow(MultiHead([Softmax(a), Softmax(-2 * a)])), X, True, True),
    Case("causal", lambda a: flow(Softmax(2 * a, mask=causal(N))), X, True),
    Case("alibi", lambda a: flow(Softmax(2 * a, mask=alibi(N, 0.5 * a))), X, True),
    Case("mask", lambda a: flow(Unnormalized(2 * a, mask=ALLOWED)), X, True),
    Case("weights", lambda a: flow(Softmax(2 * a), weights=W), X, True),
    Case("noise", lambda a: flow(Softmax(2 * a), noise=0.1 * a), X, True, True),
    Case(
        "random values", lambda a: RandomValues(SPHERE, Softmax(2 * a), a, 0.5 * a), X, True, True
    ),
    Case(
        "momentum",
        lambda a: MomentumFlow(SPHERE, Softmax(2 * a), 0.5 * a),
        (X, TANGENT),
        True,
        True,
    ),
    Case("potential", lambda a: flow(Softmax(2 * a), potential=_bowl), X, False, True),
    Case("layers", lambda a: flow(Layers([Softmax(a), Softmax(2 * a)], [0.0, 5.0])), X, True, True),
    Case("varying", lambda a: flow(TURNING), X, True, True),
    Case("distance", lambda a: AttentionFlow(FLAT, L2(2 * a)), X, True, True),
    Case("flat", lambda a: AttentionFlow(FLAT, Softmax(2 * a)), X, True, True),
    Case(
        "places",
        lambda a: AttentionFlow(PLACED, Softmax(2 * a), noise=0.1 * a),
        PLACED.join(X, R[:, None]),
        False,
        True,
    ),
    Case("post", lambda a: flow(Softmax(2 * a), normalization=PostNorm()), X, True, True),
    Case("pre", lambda a: flow(Softmax(2 * a), normalization=PreNorm()), (X, R), True, True),
    Case("peri", lambda a: flow(Softmax(2 * a), normalization=PeriNorm()), (X, R), True, True),
    Case("mix", lambda a: flow(Softmax(2 * a), normalization=MixNorm(5 * a)), (X, R), True, True),
    Case("ngpt", lambda a: flow(Softmax(2 * a), normalization=NGPT(2 * a)), X, True, True),
    Case("sqrt", lambda a: flow(Softmax(2 * a), normalization=SqrtNorm()), X, True, True),
    Case("gradient", lambda a: GradientFlow(SPHERE, -Interaction(2 * a)), X, True, True),
    Case(
        "energies",
        lambda a: GradientFlow(SPHERE, Potential(_bowl) - a * Interaction(2 * a), weights=W),
        X,
    ),
    Case("mlp", lambda a: Drift(SPHERE, MLP), X, False, True, learned=True),
    Case("control", lambda a: Control(SPHERE, _steer), X, False, True, learned=True, args=MATRIX),
    Case(
        "sum",
        lambda a: flow(Softmax(2 * a)) + GradientFlow(SPHERE, a * Potential(_bowl)),
        X,
        False,
        True,
    ),
    Case("arc length", lambda a: ArcLength(flow(Softmax(2 * a)), 2 * a), X, True, True),
    Case(
        "consensus",
        lambda a: ConsensusFlow(
            [flow(Softmax(2 * a)), flow(Softmax(a))], a, pull=DebiasedPull(0.5 * a, 1e-13)
        ),
        jnp.stack([X, unit_vectors(3, N, D)]),
    ),
    Case("equiangular", lambda a: Equiangular(Softmax(2 * a), N), jnp.array(0.1)),
    Case("twisted ring", lambda a: TwistedRing(Softmax(2 * a, mask=RING), N, 1), jnp.array(0.1)),
    Case("map", lambda a: HarmonicMapFlow(SPHERE, N, 0.3 * a, 0.2 * a), X, True),
    Case("two clusters", lambda a: TwoCluster(Softmax(2 * a), [0.25, 0.75]), jnp.array(0.1)),
    Case(
        "gaussian",
        lambda a: GaussianFlow(L2(a, a * MATRIX), 0.1 * a, a * MATRIX),
        (W[:D], jnp.eye(D) + MATRIX @ MATRIX.T),
    ),
    Case(
        "density",
        lambda a: FokkerPlanck(CIRCLE, Softmax(2 * a), 0.1 * a),
        CIRCLE.analyze(_wave(CIRCLE.points)),
    ),
]


def layers(normalization, mlp=None):
    return lambda a: TransformerLayers(D, Softmax(2 * a), normalization, 0.1 * a, mlp)


def _well(x):
    return x[0] ** 2 / 2


ROW = jnp.array([-1.0, -0.4, -0.1, 0.3, 0.8, 1.5])
BOX = Box(-2.0, 2.0, 8)

SCHEMES = [
    Case("post layers", layers(PostNorm()), X, True, True),
    Case("pre layers", layers(PreNorm()), R[:, None] * X, True, True),
    Case("peri layers", layers(PeriNorm(), MLP), R[:, None] * X, False, True, learned=True),
    Case(
        "random layers",
        lambda a: RandomLayers(D, Softmax(2 * a), KEY, 0.1 * a, 0.1 * a, 0.5 * a),
        X,
    ),
    Case(
        "finite volumes",
        lambda a: ScharfetterGummel(CIRCLE, Softmax(2 * a), 0.1 * a, 0.01 * a, cells=16),
        jnp.asarray(1 + 0.5 * np.cos(2 * np.pi * (np.arange(16) + 0.5) / 16)),
    ),
    Case("quantiles", lambda a: QuantileJKO(a * Entropy() + Potential(_well), 0.1 * a), ROW),
    Case(
        "entropic transport",
        lambda a: EntropicJKO(BOX, a * Entropy() + Potential(_well), 0.5 * a, 0.5 * a, tol=1e-13),
        BOX.evaluate(lambda x: jnp.exp(-(x[0] ** 2))),
    ),
    Case("second order", lambda a: SecondOrderJKO(a * InternalEnergy(2.0), 0.1 * a), ROW),
    Case("implicit particles", lambda a: ParticleJKO(SPHERE, -Interaction(2 * a), 0.1 * a), X),
]

CASES = FLOWS + SCHEMES
