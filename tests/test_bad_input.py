"""Bad input is refused at the door by a ValueError of one sentence, which names the remedy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from refusals import check_refused, each_of

import meanfield as mf
from meanfield.attention import MultiHead, Softmax, Varying
from meanfield.dynamics import (
    NGPT,
    ArcLength,
    AttentionFlow,
    Drift,
    Equiangular,
    FokkerPlanck,
    PostNorm,
    PreNorm,
    SqrtNorm,
    TwoCluster,
)
from meanfield.energies import Interaction, Potential
from meanfield.geometry import Euclidean, Sphere
from meanfield.harmonics import Fourier
from meanfield.measures import (
    Gaussian,
    HeatKernel,
    Mixture,
    Uniform,
    VonMisesFisher,
    brownian_angle,
)
from meanfield.schemes import TransformerLayers
from meanfield.solve import GeodesicEuler
from meanfield.studies.machinery._attentions import attention_named

SPHERE = Sphere(3)
X = jnp.eye(3)
TS = jnp.array([0.0, 1.0])
KEY = jax.random.key(0)
NAN, INF = float("nan"), float("inf")
FLOW = AttentionFlow(SPHERE, Softmax(1.0))
RADIAL = AttentionFlow(SPHERE, Softmax(1.0), PreNorm())
NOISY = AttentionFlow(SPHERE, Softmax(1.0), noise=0.1)
HALVES = jnp.array([0.5, 0.5])
HEADS = MultiHead([Softmax(1.0)])
SCHEDULE = Varying(lambda t: Softmax(1.0))


def run(x0=X, ts=TS, flow=FLOW, **options):
    return mf.simulate(flow, x0, ts, **options)


def layers(norm, **options):
    return TransformerLayers(3, Softmax(1.0), norm, **options)


# What is wrong, the call, and words of the remedy.
TABLE = [
    ("tokens of another dimension", lambda: run(jnp.eye(4)), "d = 3 columns"),
    ("a batch of clouds", lambda: run(X[None]), "one point a row"),
    ("tokens off the sphere", lambda: run(2 * X), "Sphere(d).project(x)"),
    ("zero token", lambda: run(0 * X), "Sphere(d).project(x)"),
    ("radii with Post", lambda: run((X, jnp.ones(3))), "drop the radii"),
    ("Pre without radii", lambda: run(X, flow=RADIAL), "pass (x0, jax.numpy.ones(n))"),
    ("radii of another length", lambda: run((X, jnp.ones(4)), flow=RADIAL), "one a token"),
    ("radius zero", lambda: run((X, jnp.zeros(3)), flow=RADIAL), "jax.numpy.ones(n)"),
    ("start of a reduction", lambda: run(X, flow=Equiangular(Softmax(1.0), 3)), "use vmap"),
    ("times out of order", lambda: run(ts=TS[::-1]), "sort ts"),
    ("a time twice", lambda: run(ts=jnp.zeros(3)), "drop repeats"),
    ("one time", lambda: run(ts=TS[:1]), "jax.numpy.linspace"),
    ("merge below rounding", lambda: run(merge=0.0), "pass merge=1e-6"),
    ("merge with noise", lambda: run(flow=NOISY, merge=1e-6, key=KEY, dt=0.1), "leave out merge"),
    (
        "merge of a reduction",
        lambda: run(0.5, flow=TwoCluster(Softmax(1.0), HALVES), merge=1e-6),
        "leave out merge",
    ),
    ("noise without key", lambda: run(flow=NOISY, dt=0.1), "jax.random.key(0)"),
    ("noise without step", lambda: run(flow=NOISY, key=KEY), "dt=0.01"),
    (
        "increments of another noise",
        lambda: run(
            flow=NOISY, key=KEY, dt=0.1, solver=GeodesicEuler(SPHERE, brownian_angle(3, 0.5))
        ),
        "make it anew",
    ),
    (
        "increments of another sphere",
        lambda: GeodesicEuler(Sphere(4), brownian_angle(3, 0.5)),
        "of the same d",
    ),
    (
        "noise on radii",
        lambda: AttentionFlow(SPHERE, Softmax(1.0), PreNorm(), noise=0.1),
        "use noise=0",
    ),
    (
        "normalization of flat space",
        lambda: AttentionFlow(Euclidean(3), Softmax(1.0), PostNorm()),
        "use Sphere(d)",
    ),
    (
        "two weights, three tokens",
        lambda: run(flow=Drift(SPHERE, jnp.zeros_like, weights=HALVES)),
        "weight a",
    ),
    ("spheres added", lambda: FLOW + Drift(Sphere(4), jnp.zeros_like), "make them with the same"),
    ("radii added to none", lambda: RADIAL + FLOW, "use PostNorm()"),
    ("radii added to an MLP", lambda: RADIAL + Drift(SPHERE, jnp.zeros_like), "mlp=mlp"),
    (
        "radii with a drift",
        lambda: run((X, jnp.ones(3)), flow=Drift(SPHERE, jnp.zeros_like)),
        "drop the",
    ),
    ("arc length of a sum with radii", lambda: ArcLength(RADIAL + RADIAL), "use PostNorm"),
    ("arc length with noise", lambda: ArcLength(NOISY), "use noise=0"),
    (
        "arc length with radii",
        lambda: run((X, jnp.ones(3)), flow=ArcLength(RADIAL)),
        "use PostNorm",
    ),
    ("reduction of one token", lambda: Equiangular(Softmax(1.0), 1), "pass n=2"),
    ("reduction with a matrix", lambda: Equiangular(Softmax(1.0, value=X), 3), "AttentionFlow"),
    ("reduction of heads", lambda: Equiangular(HEADS, 3), "AttentionFlow"),
    ("two clusters of heads", lambda: TwoCluster(HEADS, HALVES), "AttentionFlow"),
    ("density of a schedule", lambda: FokkerPlanck(Fourier(4), SCHEDULE), "pass Softmax(1.0)"),
    (
        "hitting the end",
        lambda: Equiangular(Softmax(1.0), 3).hitting_time(0.0),
        "delta in (0, 1)",
    ),
    ("three masses for two", lambda: TwoCluster(Softmax(1.0), jnp.ones(3) / 3), "pass one a point"),
    (
        "clusters that part",
        lambda: TwoCluster(Softmax(1.0), HALVES).passage_time(0.5, 0.1),
        "only approach",
    ),
    ("two masses, three points", lambda: Potential(lambda x: x[0])(X, HALVES), "one a point"),
    ("energy at beta 0", lambda: Interaction(0.0), "use a small one"),
    ("nGPT as layers", lambda: layers(NGPT()), "use AttentionFlow"),
    ("square root as layers", lambda: layers(SqrtNorm()), "use AttentionFlow"),
    ("zero token into layers", lambda: mf.rollout(layers(PreNorm()), 0 * X, 2), "drop it"),
    ("a scheme in time", lambda: run(flow=layers(PreNorm())), "rollout(scheme, x0, steps)"),
    ("a flow by steps", lambda: mf.rollout(FLOW, X, 2), "simulate(dynamics, x0, ts)"),
    ("another attention by name", lambda: attention_named("softmax", 1.0, 3), "['SA', 'USA']"),
    ("an observable called time", lambda: run(observe={"time": jnp.zeros_like}), "call it clock"),
    ("mean off the sphere", lambda: VonMisesFisher(2 * X[0], 1.0), "divide it by its norm"),
    ("heat of no time", lambda: HeatKernel(3, 0.0), "use the limit law"),
    ("covariance not positive", lambda: Gaussian(jnp.zeros(2), -jnp.eye(2)), "multiple of the ide"),
    ("no laws", lambda: Mixture([], jnp.ones(0)), "laws=[...]"),
    ("laws apart", lambda: Mixture([Uniform(2), Uniform(3)], HALVES), "the same kind"),
]


@each_of(TABLE)
def test_bad_input_is_refused_with_a_remedy(call, remedy):
    check_refused(call, remedy)


def test_a_start_that_is_known_only_at_run_time_is_checked_then():
    with pytest.raises(eqx.EquinoxRuntimeError, match="remove or replace"):
        eqx.filter_jit(lambda x: run(x).final)(X.at[0, 0].set(NAN))


def test_a_start_may_be_rows_in_a_list():
    assert run([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).final.shape == (2, 3)
