"""Exponential steps: exact where theory says so, of order 4, and never limited by what is damped."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy.linalg import expm

import meanfield as mf
from meanfield.attention import Softmax
from meanfield.dynamics import AbstractImex, AttentionFlow, FokkerPlanck
from meanfield.geometry import Sphere
from meanfield.harmonics import Fourier, Gegenbauer
from meanfield.solve import ExponentialRK4
from meanfield.solve.methods._exponential_rk import NEAR

RATES = np.array([0.0, 0.3, 2.0, 40.0, 3e5])
STEP = 0.2


class Forced(AbstractImex):
    """c' = polynomial(t) + args (c_{i-1} - t) c_i - rates c, whose forcing is reversed at `switch`."""

    rates: Float[Array, " k"]
    powers: Float[Array, " p"]
    switch: Float[Array, ""] | None = None

    def explicit(self, t, state, args):
        forcing = jnp.polyval(self.powers.astype(state.dtype), t)
        if self.switch is not None:
            forcing = jnp.where(t < self.switch, forcing, -forcing)
        return forcing + args * (jnp.roll(state, 1) - t) * state

    def damping(self, dtype):
        return self.rates.astype(dtype)

    def check(self, state):
        return state

    def jumps(self):
        return None if self.switch is None else self.switch[None]


START = jnp.array([1.0, -0.5, 0.7, 0.2, 0.1])
FORCED = Forced(jnp.asarray(RATES), jnp.array([0.4, -1.0, 0.5]))


def run(dynamics, start, end, dt, args=0.0, begin=0.0):
    ts = jnp.stack([jnp.asarray(begin, start.dtype), jnp.asarray(end, start.dtype)])
    return mf.simulate(dynamics, start, ts, dt=dt, args=args, solver=ExponentialRK4()).final


def phi(z, order):
    """phi_0 to phi_order at each z, from the exponential of the matrix that begins with z and has ones
    above its diagonal (Sidje 1998)."""
    tables = []
    for each in z:
        matrix = np.diag(np.ones(order), 1)
        matrix[0, 0] = each
        tables.append(expm(matrix)[0])
    return np.array(tables).T


def krogstad(explicit, rates, t, c, h):
    """One step as the paper's tableau has it: what each stage takes of each slope before."""
    _, half1, half2 = phi(-h * rates / 2, 2)
    one, two, three = phi(-h * rates, 3)[1:]
    a = [[], [half1 / 2], [half1 / 2 - half2, half2], [one - 2 * two, 0, 2 * two]]
    a.append([one - 3 * two + 4 * three, *2 * [2 * two - 4 * three], 4 * three - two])
    slopes = []
    for row, share in zip(a, (0, 0.5, 0.5, 1, 1), strict=True):
        state = np.exp(-share * h * rates) * c
        state = state + h * sum(weight * each for weight, each in zip(row, slopes, strict=True))
        slopes.append(explicit(t + share * h, state))
    return state


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_step_is_that_of_the_tableau(dtype):
    start, args = START.astype(dtype), jnp.asarray(0.8, dtype)
    step = run(FORCED, start, 0.3 + STEP, STEP, args, begin=0.3)
    assert step.dtype == dtype

    def explicit(t, c):
        return np.polyval([0.4, -1.0, 0.5], t) + 0.8 * (np.roll(c, 1) - t) * c

    exact = krogstad(explicit, RATES, 0.3, np.asarray(START), STEP)
    # Some ten operations a stage on numbers of order one; beyond |z| = NEAR phi_3 loses four roundings.
    assert STEP * RATES[3] >= NEAR
    np.testing.assert_allclose(step, exact, rtol=0, atol=40 * np.finfo(dtype).eps)


def test_forces_quadratic_in_time_are_exact_across_a_jump():
    # Of c' = f(t) - rate c with f quadratic the weights 1, phi_2 and phi_3 give the whole integral, in
    # any number of steps and however stiff; so they do on both sides of a jump, which is at no step.
    switch, end = 0.53, 1.1
    forced = Forced(FORCED.rates, FORCED.powers, jnp.asarray(switch))
    found = run(forced, START, end, 0.25)

    def moved(c, sign, begin, end):
        # The state with t^2, t, 1 beside it is linear.
        out = []
        for rate, each in zip(RATES, c, strict=True):
            matrix = np.zeros((4, 4))
            matrix[0] = [-rate, *(sign * np.asarray(FORCED.powers))]
            matrix[1, 2], matrix[2, 3] = 2.0, 1.0
            out.append((expm((end - begin) * matrix) @ [each, begin**2, begin, 1.0])[0])
        return np.array(out)

    exact = moved(moved(np.asarray(START), 1, 0.0, switch), -1, switch, end)
    # Six steps of some ten operations on numbers of order one; a force that had switched at a wrong end
    # of a step, even at one time of weight phi_3, would be seen by 1e-2.
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)


def test_gradients_are_differences():
    def last(p):
        forced = Forced(p[0] * jnp.array([0.0, 0.5, NEAR * 3 / 0.55, 20.0, 100.0]), FORCED.powers)
        return jnp.sum(run(forced, START, p[2], STEP, p[1]) ** 2)

    p, h = jnp.array([1.0, 0.8, 0.55]), 1e-5
    value = jax.jit(jax.vmap(last))
    slopes = [
        (np.subtract(*value(jnp.stack([p + h * e, p - h * e])))) / (2 * h) for e in jnp.eye(3)
    ]
    # Central differences err by h^2 times a third derivative, below 1e-8, and by rounding over h.
    # One rate is moved through |z| = NEAR of the three steps: phi is smooth there.
    np.testing.assert_allclose(jax.jit(jax.grad(last))(p), slopes, rtol=0, atol=1e-7)


def stiffest():
    """Softmax on S^2 with noise 1 in degree 64, damped by up to 4,160: z = -416 at dt = .1."""
    start = jnp.zeros(65).at[:2].set(jnp.array([1.0, 0.3]))
    return FokkerPlanck(Gegenbauer(3, 64), Softmax(4.0), 1.0), start, np.array([0.1, 0.05, 0.025])


def circle():
    basis = Fourier(24)
    start = basis.analyze(1 + 0.5 * jnp.cos(basis.nodes))
    return FokkerPlanck(basis, Softmax(4.0), 0.1), start, np.array([0.25, 0.125, 0.0625])


@pytest.mark.slow  # the order where rates are stiff is held below, each stage above
@pytest.mark.parametrize("case", [circle, stiffest])
def test_order_under_attention(case):
    equation, start, steps = case()
    ts = jnp.array([0.0, 1.0])
    found = jax.jit(jax.vmap(lambda dt: run(equation, start, 1.0, dt)))(jnp.asarray(steps))
    exact = mf.simulate(equation, start, ts, dt=steps[-1] / 4).final  # KenCarp5: order 5
    assert (found[:, 0] == start[0]).all()
    errors = np.abs(np.asarray(found - exact)).max(axis=1)
    orders = np.diff(np.log(errors)) / np.diff(np.log(steps))
    # The next term of the error bends slopes by about the size of a step times the rate of what moves,
    # which is of order one; the damping, of up to a thousand times as much, does not show.
    np.testing.assert_allclose(orders, 4, rtol=0, atol=0.2)


class Known(AbstractImex):
    """Coupled rates from 1 to 1e6 whose exact solution is size cos t."""

    rates: Float[Array, " k"]
    size: Float[Array, " k"]

    def explicit(self, t, state, args):
        known = self.size * jnp.cos(t)
        rest = self.rates * known - self.size * jnp.sin(t)
        return rest + self._coupling(state) - self._coupling(known)

    def _coupling(self, state):
        return jnp.sin(3 * jnp.roll(state, 1)) * jnp.cos(state)

    def damping(self, dtype):
        return self.rates.astype(dtype)

    def check(self, state):
        return state


def test_order_where_rates_are_stiff():
    rates, steps = jnp.logspace(0, 6, 24), 0.2 * 2.0 ** -jnp.arange(4.0)

    @jax.jit
    def errors(size):
        ends = jax.vmap(lambda dt: run(Known(rates, size), size, 1.2, dt))(steps)
        return jnp.abs(ends - size * jnp.cos(1.2)).max(axis=1)

    # Where rates times the solution stay bounded, as those of what is smooth do, it is 4, up to what of
    # steps this long shows; Cox and Matthews' u_3 = e^{z/2} c + (h/2) phi_1(z/2) N_2 lowers it to 3.
    # Where they do not, 2 is left of it, and 1 of theirs.
    for size, least in ((1 / rates, 4 - 0.3), (jnp.ones(24), 2 - 0.2)):
        orders = -np.diff(np.log2(np.asarray(errors(size))))
        assert (orders > least).all()


def test_diffusion_alone_is_exact():
    basis = Gegenbauer(3, 64)
    start = basis.heat(basis.moments(jnp.ones(1)), 0.1)
    found = run(FokkerPlanck(basis, None, 1.0), start, 0.9, 0.3)
    # e^z is rounded by |z| epsilon, of which z^k e^z leaves about one for each of three steps.
    np.testing.assert_allclose(found, basis.heat(start, 0.9), rtol=0, atol=1e-15)


def test_what_it_cannot_step_is_refused():
    start, solver, ts = jnp.eye(3), ExponentialRK4(), jnp.array([0.0, 1.0])
    with pytest.raises(ValueError, match=r"expected dt for ExponentialRK4.*pass dt=0.01"):
        mf.simulate(FORCED, START, ts, solver=solver)
    flow = AttentionFlow(Sphere(3), Softmax(1.0))
    with pytest.raises(ValueError, match="got AttentionFlow; leave solver out"):
        mf.simulate(flow, start, ts, dt=0.1, solver=solver)


def test_right_hand_sides_are_counted():
    ts = jnp.array([0.0, 1.0])
    out = mf.simulate(FORCED, START, ts, dt=STEP, args=0.0, solver=ExponentialRK4())
    assert (out.stats["steps"], out.stats["rhs"]) == (5, 20)


@pytest.mark.slow
def test_a_density_in_single_precision():
    equation, start, steps = circle()
    exact = run(equation, start, 1.0, steps[-1])
    single = run(equation, start.astype(np.float32), 1.0, steps[-1])
    assert single.dtype == np.float32 and single[0] == 1
    # Sixteen steps of four stages, each rounded to 6e-8.
    np.testing.assert_allclose(single, exact, rtol=0, atol=1e-5)
