"""Valid calls of the laws, the energies and the observables."""

import math

import jax.numpy as jnp

from catalogue.entry import PAIRS, SAME_SIZE, entry
from catalogue.things import (
    BUMP,
    CIRCLE,
    COV,
    ENERGY,
    HALVES,
    KEY,
    LINE_ENERGY,
    MEAN,
    NORTH,
    ROW,
    SPHERE,
    WAVE,
    ZONAL,
    W,
    X,
    bowl,
)  # fmt: skip
from meanfield.energies import (
    Circle,
    Entropy,
    GradedLine,
    InternalEnergy,
    Line,
    Pairwise,
    Potential,
    Sinkformer,
)
from meanfield.measures import (
    Gaussian,
    HeatKernel,
    Mixture,
    MoebiusOrbit,
    Uniform,
    VonMisesFisher,
    brownian_angle,
)
from meanfield.observables import clusters

LAWS = {
    "Uniform": Uniform(3),
    "VonMisesFisher": VonMisesFisher(NORTH, 2.0),
    "HeatKernel": HeatKernel(3, 0.3),
    "Gaussian": Gaussian(MEAN, COV),
    "Mixture": Mixture([Uniform(3), VonMisesFisher(NORTH, 2.0)], HALVES),
    "MoebiusOrbit": MoebiusOrbit(3, 0.5),
}
ANGLE = brownian_angle(3, 0.2)
ON_BATCH = {("x", "four axes"), ("x", "an empty cloud")}


def _pull(x, y):
    return 0.5 * (x - y) @ (x - y)


MEASURES = [
    entry("measures.Uniform", d=3),
    entry("measures.VonMisesFisher", mean=NORTH, kappa=2.0, fine_={("kappa", "zero")}),
    entry("measures.HeatKernel", d=3, t=0.3, mean=NORTH),
    entry("measures.Gaussian", mean=MEAN, cov=COV),
    entry("measures.Mixture", laws=[Uniform(3), LAWS["VonMisesFisher"]], weights=HALVES),
    entry("measures.MoebiusOrbit", d=3, r=0.5, mean=NORTH),
    entry("measures.brownian_angle", d=3, s=0.2),
    entry(
        "measures.BrownianAngle.__call__",
        ANGLE.__call__,
        r=jnp.array([0.1, 0.9]),
        kinds_={"r": "array"},
    ),
    entry("measures.particles", points=X, geometry=SPHERE),
    *(
        made
        for name, law in LAWS.items()
        for made in (
            entry(f"measures.{name}.sample", law.sample, key=KEY, n=4, single_=None),
            entry(f"measures.{name}.log_density", law.log_density, x=X, fine_=ON_BATCH),
            # A mean over draws, which depend on the precision, for a mixture.
            entry(
                f"measures.{name}.entropy",
                law.entropy,
                single_=math.inf if name == "Mixture" else 1000.0,
            ),
        )
    ),
]

CLOUD = (("x", "w"),)
INTERNAL = InternalEnergy(2.0)
ENERGIES = [
    entry("energies.Entropy"),
    entry("energies.Interaction", beta=2.0, offset=0.5, matrix=COV),
    entry("energies.InternalEnergy", m=2.0, kinds_={"m": "positive"}),
    entry("energies.Pairwise", kernel=_pull),
    entry("energies.Potential", function=bowl),
    entry("energies.Scaled", factor=2.0, energy=ENERGY),
    entry("energies.Sum", terms=(ENERGY, Potential(bowl))),
    entry("energies.Sinkformer", beta=2.0, tol=1e-9, max_iterations=500),
    entry("energies.Line", tail=1.0, fine_={("tail", "None")}),
    entry("energies.GradedLine", tail=1.0),
    entry("energies.Circle"),
    entry("energies.free_energy", beta=2.0, noise=0.1),
    entry("energies.unscaled_sinkformer", beta=2.0),
    entry("energies.split_entropy", energy=LINE_ENERGY),
    entry("energies.terms", energy=LINE_ENERGY),
    entry("energies.fisher_information", basis=CIRCLE, coeffs=WAVE, reference=None),
    entry(
        "energies.relative_entropy",
        basis=CIRCLE,
        coeffs=WAVE,
        reference=WAVE,
        kinds_={"reference": "array"},
    ),
    *(
        made
        for name, energy in {
            "Interaction": ENERGY,
            "Potential": Potential(bowl),
            "Pairwise": Pairwise(_pull),
            "Sinkformer": Sinkformer(2.0),
            "Sum": ENERGY + Potential(bowl),
            "Scaled": 2.0 * ENERGY,
        }.items()
        for made in (
            entry(f"energies.{name}.__call__", energy.__call__, x=X, w=W, clouds_=CLOUD),
            entry(
                f"energies.{name}.wasserstein_gradient",
                energy.wasserstein_gradient,
                x=X,
                w=W,
                clouds_=CLOUD,
            ),
        )
    ),
    *(
        entry(f"energies.{name}.on_density", energy.on_density, basis=ZONAL, coeffs=BUMP)
        for name, energy in {
            "Interaction": ENERGY,
            "Entropy": Entropy(),
            "Internal": INTERNAL,
        }.items()
    ),
    *(
        entry(f"energies.{name}.on_quantiles", energy.on_quantiles, domain=Line(), x=ROW)
        for name, energy in {"Entropy": Entropy(), "InternalEnergy": INTERNAL}.items()
    ),
    *(
        entry(f"energies.{name}.check", domain.check, x=ROW)
        for name, domain in {"Line": Line(), "GradedLine": GradedLine(), "Circle": Circle()}.items()
    ),
]

_ROUND = X[:, :2] / jnp.linalg.norm(X[:, :2], axis=1, keepdims=True)
OBSERVABLES = [
    entry("observables.state", x=X, kinds_={"x": None}, clouds_=()),
    entry("observables.alignment", x=X, w=W, clouds_=CLOUD, collapses_=PAIRS),
    entry(
        "observables.captured_share",
        x=X,
        centres=jnp.arange(5) < 2,
        tolerance=0.5,
        w=W,
        kinds_={"centres": None},
        collapses_=SAME_SIZE,
        fine_={("tolerance", "zero")},
    ),
    entry("observables.clusters", x=X, tolerance=0.5, w=W, fine_={("tolerance", "zero")}),
    entry("observables.degree_moment", x=X, k=2, w=W, clouds_=CLOUD),
    entry("observables.effective_rank", x=X),
    entry("observables.entropy_knn", x=X, k=2, collapses_=()),
    entry(
        "observables.entropy_spacings",
        x=X[:, :2] / jnp.linalg.norm(X[:, :2], axis=1)[:, None],
        m=2,
        collapses_=(),
    ),
    entry("observables.gaussian_information", x=X, y=X[::-1], collapses_=()),
    entry("observables.hemisphere", x=X),
    entry(
        "observables.hitting_time",
        ts=jnp.arange(3.0),
        values=jnp.array([0.0, 0.4, 0.9]),
        level=0.5,
        kinds_={"values": "array"},
    ),
    entry("observables.inner_product_histogram", x=X, bins=4, w=W, collapses_=PAIRS),
    entry("observables.inner_products", x=X, collapses_=PAIRS),
    entry(
        "observables.log_cap_measure", angle=jnp.array([0.3, 1.0]), d=3, kinds_={"angle": "array"}
    ),
    entry("observables.intrinsic_dimension", x=X, keep=0.9, collapses_=()),
    entry("observables.merge_heights", x=X, collapses_=PAIRS, single_=4000.0),
    entry("observables.mean_resultant", x=X, w=W, clouds_=CLOUD),
    entry("observables.members", found=clusters(X, 0.5), single_=None),
    entry("observables.min_inner_product", x=X, collapses_=PAIRS),
    entry("observables.renyi_centres", x=X, delta=0.5, single_=None, fine_={("delta", "zero")}),
    entry(
        "observables.rotations",
        values=jnp.sin(jnp.arange(6.0)),
        kinds_={"values": "array"},
    ),
    entry("observables.second_moment", x=X, w=W, clouds_=CLOUD),
    entry("observables.smoothed_entropy", x=X, beta=4.0, w=W, clouds_=CLOUD),
    entry(
        "observables.fluid",
        x=_ROUND,
        p=_ROUND[:, ::-1] * jnp.array([-1.0, 1.0]),
        angles=jnp.array([0.3, 1.0]),
        width=0.5,
        w=W,
        kinds_={"p": "points"},
        collapses_=("coincident",),
    ),
    entry(
        "observables.strong_renyi_centres", x=X, delta=0.5, single_=None, fine_={("delta", "zero")}
    ),
]
_CHAIN = jnp.exp(X @ X.T) / jnp.exp(X @ X.T).sum(axis=1, keepdims=True)
_GROUPS = jnp.array([0, 0, 3, 3, 3])


def _leaned(x, w):
    moved = x + 0.3 * (w @ x)
    return moved / jnp.linalg.norm(moved, axis=1, keepdims=True)


AGGREGATORS = [
    entry("observables.effective_information", matrix=_CHAIN, w=W),
    entry("observables.coarse_chain", matrix=_CHAIN, labels=_GROUPS, w=W, kinds_={"labels": None}),
    entry(
        "observables.abstraction_error",
        move=_leaned,
        x=X,
        labels=_GROUPS,
        w=W,
        kinds_={"labels": None},
        collapses_=("coincident",),
    ),
]
ENTRIES = MEASURES + ENERGIES + OBSERVABLES + AGGREGATORS
