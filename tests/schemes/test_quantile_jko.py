"""Quantiles: exact recursions, orders in N and tau, stationary laws, energies and derivatives."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import check_refused
from scipy.special import betaincinv, ndtri

from meanfield import observables
from meanfield.energies import (
    Circle,
    Entropy,
    GradedLine,
    Interaction,
    InternalEnergy,
    Line,
    Pairwise,
    Potential,
)
from meanfield.harmonics import Fourier, Gegenbauer
from meanfield.measures import VonMisesFisher
from meanfield.schemes import QuantileJKO, SecondOrderJKO
from meanfield.solve import rollout
from meanfield.transport import Box


def well(x):
    return x[0] ** 2 / 2


def bump(x):
    return x[0] ** 2 / 2 + jnp.exp(-(x[0] ** 2))


def levels(n):
    return (np.arange(n) + 0.5) / n


def normal(n):
    return jnp.asarray(ndtri(levels(n)))


OU = Potential(well) + Entropy()


def thirty_two(scheme, tau, start):
    """So many steps from nine quantiles."""
    return rollout(scheme(OU, tau), start, 32, observe={"x": observables.state})


@pytest.mark.parametrize("n", [9, pytest.param(200, marks=pytest.mark.slow)])
def test_normal_laws_follow_the_exact_recursion_at_any_number_of_quantiles(n):
    tau, m, s = 0.1, 1.0, 0.3
    run = thirty_two(QuantileJKO, tau, m + s * normal(n))
    for _ in range(32):
        m, s = m / (1 + tau), (s + np.sqrt(s**2 + 4 * tau * (1 + tau))) / (2 * (1 + tau))
    # 32 steps of a system of condition n^2: some 1e-14 n.
    np.testing.assert_allclose(run.final, m + s * normal(n), atol=1e-12)
    assert run.stats["converged"].all() and int(run.stats["iterations"].max()) <= 8
    assert float(run.stats["excess"].max()) < 0 and float(run.stats["residual"].max()) < 1e-10
    masses = np.asarray(QuantileJKO(OU, tau).domain.masses(n))
    squares = np.diff(np.asarray(run.values["x"]), axis=0) ** 2 @ masses
    np.testing.assert_allclose(run.stats["moved"], np.sqrt(squares), rtol=1e-12)
    lost = np.diff(run.stats["energy"]) + squares[1:] / (2 * tau)
    np.testing.assert_allclose(run.stats["excess"][1:], lost, atol=1e-14)
    # The energy has a sum over quantiles in place of the second moment: off by log(n)/n.
    energy = s**2 / 2 + m**2 / 2 - np.log(s) - np.log(2 * np.pi * np.e) / 2
    assert float(run.stats["energy"][-1]) == pytest.approx(energy, abs=np.log(n) / n)


def barenblatt(t, n):
    """Mid-quantiles of rho = t^(-1/3) (C - x^2 t^(-2/3)/12)_+, and the end of its support."""
    edge = t ** (1 / 3) * np.sqrt(12 * ((3 / 4) * np.sqrt(1 / 12)) ** (2 / 3))
    return edge * (2 * betaincinv(2, 2, levels(n)) - 1), edge


def test_barenblatt_solutions_follow_the_exact_recursion():
    n, scheme = 64, QuantileJKO(InternalEnergy(2.0), 0.05)
    start, _ = barenblatt(1.0, n)
    run = rollout(scheme, jnp.asarray(start), 20)
    # The profile widens by s: its force is that of t = 1, s/(3 t), over s^2.
    s = 1.0
    for _ in range(20):
        old = s
        for _ in range(50):
            s = old + scheme.tau / (3 * s**2)
    np.testing.assert_allclose(run.final, float(s) * start, atol=1e-10)
    # At order 1 in tau to the solution at t = 2, and to the end of its support.
    exact, edge = barenblatt(2.0, n)
    assert float(jnp.abs(run.final - exact).max()) < scheme.tau * edge / 5
    assert float(scheme.domain.support(run.final, 2.0)[1]) == pytest.approx(edge, rel=0.01)
    assert float(run.final[-1] - run.final[-2]) > 0.01 * edge
    assert float(scheme.domain.masses(n).sum()) == pytest.approx(1, abs=1e-15)


def trials(scheme, start, counts):
    """The distances in the bulk of runs with n quantiles from one with three times as many."""
    ends = [np.asarray(rollout(scheme, jnp.asarray(start(n)), 3).final) for n in counts]
    gaps = [coarse - fine[1::3] for coarse, fine in itertools.pairwise(ends)]
    return [np.abs(gap[np.abs(levels(len(gap)) - 0.5) < 0.4]).max() for gap in gaps]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "start"),
    [
        (QuantileJKO(Potential(bump) + Entropy(), 0.1), lambda n: normal(n) + np.tanh(2 * normal(n))),
        (QuantileJKO(InternalEnergy(2.0), 0.1), lambda n: np.sin(barenblatt(0.2, n)[0])),
        (
            QuantileJKO(Potential(lambda x: -x[0]) + Entropy(), 0.1, Circle()),
            lambda n: 2 * np.pi * levels(n) + 0.5 * np.sin(2 * np.pi * levels(n)),
        ),
    ],
    ids=["normal tails", "porous medium", "circle"],
)  # fmt: skip
def test_order_two_in_the_number_of_quantiles_away_from_tails(scheme, start):
    errors = trials(scheme, start, (99, 297, 891))
    assert np.log(errors[0] / errors[1]) / np.log(3) == pytest.approx(2, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("energy", "tail"),
    [(Potential(bump) + Entropy(), 1.0), (InternalEnergy(2.0), 2.0), (InternalEnergy(3.0), 3.0)],
)
def test_order_two_in_w2_with_graded_quantiles(energy, tail):
    domain, ends = GradedLine(tail), []
    for n in (99, 297, 2673):
        # Images of equally spaced points: of nested ones on a support, and nearly so for tails.
        z = np.linspace(-1, 1, 2 * n + 1)[1::2]
        z = z * (2 * np.sqrt(np.log(n)) if tail == 1 else 2.0)
        end = rollout(QuantileJKO(energy, 0.1, domain), jnp.asarray(z + np.tanh(2 * z)), 3).final
        ends.append((z, np.asarray(end), domain.masses(n)))
    fine, errors = ends[-1], []
    for z, end, masses in ends[:-1]:
        errors.append(np.sqrt(masses @ (end - np.interp(z, fine[0], fine[1])) ** 2))
    # The spacing is 1/n on a support, and sqrt(log n)/n for normal tails, whose reach grows with n.
    spacings = [z[1] - z[0] for z, *_ in ends[:-1]]
    order = np.log(errors[0] / errors[1]) / np.log(spacings[0] / spacings[1])
    assert order == pytest.approx(2, abs=0.1)


def test_orders_in_tau():
    start, z = 1 + 0.5 * normal(9), ndtri(levels(9))
    exact = np.exp(-1) + np.sqrt(1 - 0.75 * np.exp(-2)) * z
    for scheme, order in ((QuantileJKO, 1), (SecondOrderJKO, 2)):
        errors = []
        for steps in (16, 32):
            run = thirty_two(scheme, 1 / steps, start)
            errors.append(np.abs(np.asarray(run.values["x"])[steps] - exact).max())
            assert run.stats["converged"].all() and float(run.stats["excess"].max()) < 0
        assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("scheme", [QuantileJKO, SecondOrderJKO])
def test_excess_is_that_of_energy_alone_or_with_what_the_step_dissipates(scheme):
    start, tau = 1 + 0.5 * normal(9), 0.3
    new, facts = eqx.filter_jit(scheme(Potential(well), tau).step)(start, None)
    new, start = np.asarray(new), np.asarray(start)
    # Quantiles of equal mass: the energy is half the mean square, W2^2 the mean square of the move.
    fall, square = np.mean(new**2 - start**2) / 2, np.mean((new - start) ** 2)
    expected = fall + (square / (2 * tau) if scheme is QuantileJKO else 0.0)
    # A sum of nine numbers of size 1.
    assert float(facts["excess"]) == pytest.approx(float(expected), abs=1e-14)
    assert float(facts["moved"]) == pytest.approx(np.sqrt(square), abs=1e-14)
    assert float(facts["energy"]) == pytest.approx(np.mean(new**2) / 2, abs=1e-14)


@pytest.mark.slow  # the circle by other steps below, these steps on the line above
def test_the_circle_has_the_law_of_heat():
    n, noise = 64, 0.5
    angles = 2 * np.pi * levels(n)
    heat = SecondOrderJKO(noise * Entropy(), 0.05, Circle())
    run = rollout(heat, angles + 0.2 * np.sin(angles), 20)
    # Its second harmonic is .01, and the next order of heat flow on the gap density is h^2.
    assert mode(run.final) / mode(angles + 0.2 * np.sin(angles)) == pytest.approx(
        np.exp(-noise), abs=2e-3
    )


def test_the_circle_has_von_mises_laws():
    noise, kappa = 0.5, 2.0
    drawn = QuantileJKO(
        Potential(lambda x: -noise * kappa * x[0]) + noise * Entropy(), 5.0, Circle()
    )
    end = rollout(drawn, 2 * np.pi * levels(400), 30).final
    law = VonMisesFisher(jnp.eye(2)[0], kappa)
    # The gaps at the antipode are ten times as wide as at the top: off by 60/N^2 with 64 to 400.
    assert mode(end) == pytest.approx(float(law.resultant()), abs=1e-3)


def mode(x):
    return float(np.abs(np.exp(1j * np.asarray(x)).mean()))


@pytest.mark.parametrize(
    "scheme", [QuantileJKO, pytest.param(SecondOrderJKO, marks=pytest.mark.slow)]
)
def test_steps_are_differentiable(scheme):
    start = normal(10)

    @functools.partial(jax.jit, static_argnums=0)
    def last(scheme, b):
        kernel = Pairwise(lambda x, y: b * jnp.cos(x[0] - y[0]))
        energy = b**2 * Potential(well) + b * Entropy() + kernel
        return rollout(scheme(energy, 0.1 * b), b * start, 2).final[0]

    b, h = jnp.array(1.0), 1e-4
    slope = (last(scheme, b + h) - last(scheme, b - h)) / (2 * h)
    gradient = jax.grad(last, argnums=1)(scheme, b)
    assert float(gradient) == pytest.approx(float(slope), abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("on", ["line", "circle"])
def test_steps_of_a_porous_medium_and_on_the_circle_are_differentiable(on):
    start = jnp.linspace(-1, 1, 10) + 0.03 * jnp.sin(3 * jnp.arange(10.0))

    @jax.jit
    def last(b):
        if on == "line":
            scheme = QuantileJKO(InternalEnergy(2.0) + Potential(well), 0.1 * b)
        else:
            scheme = QuantileJKO(b * Entropy() + -1.0 * Interaction(2.0), 0.1 * b, Circle())
        return jnp.sum(jnp.arange(10.0) * rollout(scheme, b * start, 2).final)

    b, h = jnp.array(1.0), 1e-4
    slope = (last(b + h) - last(b - h)) / (2 * h)
    # Differences err by h^2 times a third derivative, and by steps solved to 1e-10, or so, over h.
    assert float(jax.jit(jax.grad(last))(b)) == pytest.approx(float(slope), rel=1e-5)


def test_interactions_are_those_of_clouds():
    x, domain = normal(12), Line(None)
    pull = Pairwise(lambda x, y: (x - y) @ (x - y) / 2)
    # 1/2 iint (x - y)^2/2 is half the variance.
    assert float(pull.on_quantiles(domain, x)) == pytest.approx(float(x.var()) / 2, rel=1e-14)
    run = rollout(QuantileJKO(pull, 0.5), x + 1, 3)
    np.testing.assert_allclose(run.final, 1 + x / 1.5**3, atol=1e-14)


@pytest.mark.slow  # tokens that cluster, in test_scheme_convergence.py, hold their forces
def test_the_uniform_law_on_the_circle_is_stationary():
    # Repelled or not.
    angles = 2 * jnp.pi * levels(15)
    run = rollout(QuantileJKO(Entropy() - Interaction(1.0), 0.1, Circle()), angles, 2)
    np.testing.assert_allclose(run.final, angles, atol=1e-13)


def test_pairs_and_internal_energies_of_densities():
    basis, law = Fourier(24), VonMisesFisher(jnp.eye(2)[0], 2.0)
    rho = basis.analyze(jnp.exp(law.log_density(basis.points)))
    # 1/2 iint <x, y> is half the resultant squared, and int rho^2 the sum of squares.
    pairs = Pairwise(jnp.dot).on_density(basis, rho)
    assert float(pairs) == pytest.approx(float(law.resultant()) ** 2 / 2, rel=1e-12)
    square = InternalEnergy(2.0).on_density(basis, rho)
    assert float(square) == pytest.approx(float(rho @ rho), rel=1e-12)
    with pytest.raises(ValueError, match="use Interaction"):
        Pairwise(jnp.dot).on_density(Gegenbauer(3, 8), jnp.ones(9))


def test_bad_input_is_refused():
    scheme = QuantileJKO(OU, 0.1)
    for make, message in (
        (lambda: QuantileJKO(OU, 0.0), "tau > 0"),
        (lambda: QuantileJKO(well, 0.1), "; pass -Interaction"),
        (lambda: QuantileJKO(OU, 0.1, Box(0.0, 1.0, 4)), "; pass Line("),
        (lambda: SecondOrderJKO(OU, -1.0), "tau > 0"),
        (lambda: InternalEnergy(1.0), "use Entropy"),
        (lambda: InternalEnergy(0.5), "m >= 1"),
        (lambda: Line(0.0), "m >= 1"),
        (lambda: GradedLine(True), "m >= 1"),
        (lambda: InternalEnergy(2.0)(jnp.eye(2)), "got points"),
        (lambda: rollout(scheme, jnp.zeros((8, 1)), 2), "shape [N]"),
        (lambda: rollout(scheme, jnp.arange(4.0), 2), "N >= 5"),
        (lambda: rollout(scheme, jnp.zeros(8), 2), "expected increasing positions"),
        (lambda: rollout(scheme, jnp.arange(8), 2), "real floating-point"),
        (lambda: rollout(QuantileJKO(OU, 0.1, Circle()), jnp.arange(8.0), 2), "increasing"),
    ):
        check_refused(make, message)
