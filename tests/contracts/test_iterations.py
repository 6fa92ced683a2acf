"""No number without an iteration behind it: what did not converge says so, or is NaN, or raises.

Each row is stopped long before its end, by a limit of one or two iterations, by a tolerance that no
arithmetic reaches, or by a regularization far too small; eager and under jit, alone and in a verb.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from catalogue.things import (
    CIRCLE,
    COV,
    COV2,
    FLAT_X,
    FLAT_Y,
    FLOW,
    HALVES,
    LINE_ENERGY,
    MEAN,
    SPHERE,
    WAVE,
    V,
    W,
    X,
    Y,
)
from failures import check

import meanfield as mf
from meanfield.attention import Sinkhorn, Softmax, causal
from meanfield.dynamics import (
    AttentionFlow,
    ConsensusFlow,
    DebiasedPull,
    FokkerPlanck,
    GradientFlow,
    SinkhornFlow,
)
from meanfield.energies import Sinkformer
from meanfield.landscape import least_effort, stationary
from meanfield.measures import Gaussian
from meanfield.schemes import EntropicJKO
from meanfield.transport import (
    Accuracy,
    Box,
    Entropic,
    barycenter,
    consensus_displacement,
    disagreement,
    displacement,
    fixed_support_barycenter,
    gaussian_barycenter,
    point_geometry,
    proximal_step,
    self_potential,
    sinkhorn_divergence,
    solve,
    wasserstein,
)

TINY = 1e-7
TS = jnp.array([0.0, 0.1])
FAR = 20 * FLAT_Y
BOX = Box(-2.0, 2.0, 12)
GAUSS = BOX.evaluate(lambda x: jnp.exp(-(x[0] ** 2)))
BOTH = jnp.stack([GAUSS, BOX.evaluate(lambda x: jnp.exp(-2 * (x[0] - 0.3) ** 2))])
ONE, HALF, ONCE = jnp.asarray(1.0), jnp.asarray(0.05), Accuracy(1e-12, 1)
STUBBORN = Sinkhorn(8.0, max_iterations=1)
CAUSAL = Sinkhorn(8.0, mask=causal(len(X)), max_iterations=1)
PULL = DebiasedPull(TINY, max_iterations=2)
EARLY = FokkerPlanck(CIRCLE, Softmax(2.0), 0.1)


def run(flow, start=X, **options):
    """A short run of a flow that cannot be trusted."""
    return mf.simulate(flow, start, TS, dt=0.1, throw=False, **options)


def jko(throw):
    """One movement whose inner iteration is stopped at once."""
    scheme = EntropicJKO(BOX, LINE_ENERGY, 0.5, 0.2, max_iterations=1)
    return mf.rollout(scheme, GAUSS, 1, throw=throw)


# Each takes the array that is traced under jit.
STOPPED = {
    "transport.wasserstein": lambda x: wasserstein(
        x, Y, W, V, method=Entropic(0.01, max_iterations=2)
    ),
    "transport.sinkhorn_divergence": lambda x: sinkhorn_divergence(
        x, Y, W, V, epsilon=0.01, max_iterations=2
    ),
    "transport.solve": lambda x: solve(point_geometry(x, Y, epsilon=0.01), W, V, max_iterations=1),
    "transport.barycenter": lambda x: barycenter(
        jnp.stack([x, Y]), HALVES, epsilon=0.1, max_steps=1
    ),
    "transport.fixed_support_barycenter": lambda x: fixed_support_barycenter(
        BOX, BOTH + 0 * x[0, 0], HALVES, epsilon=0.3, max_steps=1
    ),
    "transport.gaussian_barycenter": lambda x: gaussian_barycenter(
        [Gaussian(MEAN, COV), Gaussian(x[0], COV2)], HALVES, max_steps=1
    ),
    "transport.self_potential": lambda x: self_potential(BOX, GAUSS + 0 * x[0, 0], ONE, HALF, ONCE)[
        1
    ],
    "transport.proximal_step": lambda x: proximal_step(
        BOX, GAUSS + 0 * x[0, 0], 0 * GAUSS, ONE, ONE, HALF, ONCE, GAUSS
    )[1],
    "attention.Sinkhorn.__call__": STUBBORN,
    "attention.Sinkhorn.causal": CAUSAL,
    "attention.Sinkhorn.solve": STUBBORN.solve,
    "energies.Sinkformer.__call__": Sinkformer(8.0, max_iterations=1),
    "energies.Sinkformer.gradient": Sinkformer(8.0, max_iterations=1).wasserstein_gradient,
    "transport.displacement": lambda x: displacement(x, FAR, W, V, epsilon=TINY, max_iterations=2),
    "transport.consensus_displacement": lambda x: consensus_displacement(
        jnp.stack([x, FAR]), HALVES, epsilon=TINY, max_iterations=2
    ),
    "transport.disagreement": lambda x: disagreement(
        jnp.stack([x, FAR]), HALVES, epsilon=TINY, max_iterations=2
    ),
    "dynamics.ConsensusFlow.control": lambda x: ConsensusFlow([FLOW, FLOW], 1.0, pull=PULL).control(
        TS[0], jnp.stack([x, Y])
    ),
    "dynamics.ConsensusFlow.power": lambda x: ConsensusFlow([FLOW, FLOW], 1.0, pull=PULL).power(
        TS[0], jnp.stack([x, Y])
    ),
    "landscape.stationary": lambda x: stationary(
        EARLY, WAVE + 0 * x[0, 0], tol=1e-12, max_steps=1, throw=False
    ),
    "solve.simulate.Sinkhorn": lambda x: run(AttentionFlow(SPHERE, STUBBORN), x),
    "solve.simulate.SinkhornFlow": lambda x: run(SinkhornFlow(SPHERE, STUBBORN), x),
    "solve.simulate.Sinkformer": lambda x: run(
        GradientFlow(SPHERE, Sinkformer(8.0, max_iterations=1)), x
    ),
    "solve.simulate.ConsensusFlow": lambda x: run(
        ConsensusFlow([FLOW, FLOW], 1.0, pull=PULL), jnp.stack([x, Y])
    ),
    "solve.simulate": lambda x: mf.simulate(FLOW, x, TS, tol=1e-12, max_steps=2, throw=False),
    "solve.rollout.EntropicJKO": lambda x: jko(throw=False),
}


def honest(result) -> bool:
    """Whether a result that cannot be right says so, or is not a number."""
    if isinstance(result, mf.Trajectory):
        return not bool(result.ok) or not _all(result.stats.get("converged", True))
    if hasattr(result, "converged"):
        return not bool(result.converged)
    return any(np.isnan(leaf).any() for leaf in jax.tree.leaves(result))


def _all(flag) -> bool:
    return bool(np.asarray(flag).all())


# A second or more each to compile; test_inner_iterations.py and the rooms' own tests have some.
LONG = {f"solve.simulate.{name}" for name in ("Sinkhorn", "SinkhornFlow", "Sinkformer")}
LONG |= {"solve.simulate.ConsensusFlow", "dynamics.ConsensusFlow.power"}
LONG |= {"transport.consensus_displacement", "transport.disagreement", "transport.barycenter"}
LONG |= {
    "transport.sinkhorn_divergence",
    "attention.Sinkhorn.solve",
    "energies.Sinkformer.gradient",
}
LONG |= {"transport.displacement", "dynamics.ConsensusFlow.control", "solve.rollout.EntropicJKO"}


@pytest.mark.parametrize(
    "compiled",
    [pytest.param(False, marks=pytest.mark.slow), True, pytest.param(None, marks=pytest.mark.slow)],
    ids=["eager", "jit", "jit of runs"],
)
def test_what_is_stopped_early_says_so(compiled, record_property):
    failures = {}
    for name, call in STOPPED.items():
        if compiled is not False and (name in LONG) != (compiled is None):
            continue
        x = FLAT_X if "placement" in name or "disagreement" in name else X
        try:
            result = (call if compiled is False else eqx.filter_jit(call))(x)
        except (ValueError, RuntimeError):  # a refusal, a SolveError, or an error at run time
            continue
        if not honest(result):
            failures[name] = "a number without a word"
    record_property("contracts", f"{len(STOPPED)} names")
    check("stopped early", failures)


def test_what_is_stopped_early_is_an_error_of_the_verbs():
    with pytest.raises(mf.solve.SolveError):
        jko(throw=True)
    with pytest.raises(mf.solve.SolveError):
        mf.simulate(FLOW, X, TS, tol=1e-12, max_steps=2)


def test_what_says_converged_has_the_marginals_it_claims():
    geometry = point_geometry(X, Y, epsilon=0.05)
    for tol in (1e-3, 1e-8, 1e-30):
        found = solve(geometry, W, V, tol=tol, max_iterations=5000)
        plan = found.plan()
        error = float(jnp.abs(plan.sum(1) - W).sum() + jnp.abs(plan.sum(0) - V).sum())
        # A tolerance below rounding is raised to 16 units, or to 4 |f|/eps = 4 * 4/.05 of them.
        assert not found.converged or error <= max(1.5 * tol, 1e-12)


def test_least_effort_that_says_converged_is_least():
    def outcome(control):
        return jnp.sum(control**2), jnp.exp(-2 * jnp.sum(control))

    # Equal parts: sum c = log(10)/2, so that the least effort is log(10)^2/8.
    least = np.log(10) ** 2 / 8
    for iterations in (1, 300):
        found = least_effort(outcome, jnp.array([0.9, 0.1]), 0.1, iterations=iterations)
        assert not found.converged or abs(float(found.effort) / least - 1) <= 0.02
