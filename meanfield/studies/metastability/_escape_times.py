from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Int

from ..._typing import Points, Scalar
from ...attention.engines import Harmonic
from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...landscape.densities import barrier
from ...landscape.times import escape_time, survival
from ...measures import Uniform
from ...solve import GeodesicEuler, GeodesicLM, simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, program_of_runs, some_of
from ._lasting import lasting

CIRCLE = Sphere(2)
SOLVERS = {"leimkuhler_matthews": GeodesicLM(CIRCLE), "euler": GeodesicEuler(CIRCLE)}
AT_ONCE = 1000
"""Steps of a compiled run, at each of which the mean is looked at: many, as each begins its noise anew."""
LANES = 25
"""Runs that go on at a time."""
ACCURACY = 1e-4
"""Of the sums, over the mean of the kernel: of the drift, far below what dt leaves out."""
REDUCED = "one-dimensional reduction with mobility, nothing fitted, and what it leaves out"


@dataclass(frozen=True, kw_only=True)
class EscapeTimes(AbstractCellwiseStudy):
    """How long n tokens need to leave the uniform law for a cluster, in theory and by simulation.

    Unnormalized attention with noise on the circle where both states are as good: uniform tokens run
    until their mean resultant passes `target`, or until `longest` times the predicted time: what is left then
    counts as censored. `predicted` is `escape_time`, the integral over the barrier. It leaves out that the
    other harmonics fluctuate and lag behind, that runs do not start at a mean of 0, and that they are looked
    at after steps, all together 5 % at n = 100, 7.28 for 7.63: the mean of the exponential law is held
    against `corrected`. Geodesic Euler, of first order in dt, is wrong by factors that grow with n.

    Tokens move in single precision: a step rounds them by a millionth of its noise.

    Source: Freidlin and Wentzell, Random Perturbations of Dynamical Systems (1984).
    """

    beta: float = 5.0
    """Inverse temperature, above the tricritical one."""
    noise: float = 5.3197
    """Noise between the spinodals; by default where both states are as good."""
    sizes: tuple[int, ...] = (100, 200, 300, 400)
    """Numbers of tokens."""
    solver: tuple[str, ...] = ("leimkuhler_matthews", "euler")
    """Integrators: leimkuhler_matthews or euler."""
    runs: int = field(default=200, metadata={"least": 2})
    """Independent runs."""
    target: float = 0.7
    """Mean resultant at which a run has escaped."""
    dt: float = 0.004
    """Step."""
    longest: float = 3.0
    """Time at which runs are ended, over the predicted mean."""

    GRID: ClassVar = {"n": "sizes", "solver": "solver"}
    QUANTITIES: ClassVar = {
        "n": "tokens",
        "solver": "integrator",
        "time": "time at which a run escaped or was ended",
        "escaped": "whether it escaped",
        "predicted": "predicted mean escape time",
        "corrected": "predicted mean escape time, with other harmonics, the start and steps",
        "mean": "mean escape time",
        "low": "mean escape time, lower end of the 95 % interval",
        "high": "mean escape time, upper end of the 95 % interval",
        "deviation": "largest distance from an exponential law",
    }

    def check(self) -> None:
        known = all(name in SOLVERS for name in self.solver)
        check_that(known, f"solver among {[*SOLVERS]}", self.solver, "pass solver=('euler',)")
        check_that(0 < self.target < 1, "0 < target < 1", self.target, "pass target=0.7")
        check_that(self.dt > 0, "dt > 0", self.dt, "pass dt=0.004")
        check_that(min(self.sizes) >= 2, "sizes of 2 or more", self.sizes, "pass sizes=(100,)")
        check_that(self.longest > 0, "longest > 0", self.longest, "pass longest=3.0")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        n = cell["n"]
        attention = Unnormalized(self.beta)
        wall = barrier(attention, 2, self.noise)
        predicted = float(escape_time(wall, n, self.target))
        fast = Unnormalized(self.beta, engine=Harmonic.of(self.beta, 2, ACCURACY))
        flow = AttentionFlow(CIRCLE, fast, noise=self.noise)
        times, escaped = _escapes(
            flow, SOLVERS[cell["solver"]], self.key(cell), (self.runs, n), self.dt, self.target,
            self.longest * predicted,
        )  # fmt: skip
        law = survival(jnp.asarray(times), jnp.asarray(escaped)) if escaped.any() else None
        told = {name: getattr(law, name, np.nan) for name in ("mean", "low", "high", "deviation")}
        return xr.Dataset(
            {
                "time": ("run", times),
                "escaped": ("run", escaped),
                "predicted": ((), predicted),
                "corrected": ((), lasting(wall, n, self.target, self.dt)),
                **{name: ((), value) for name, value in told.items()},
            }
        )

    def tiny(self) -> "EscapeTimes":
        solver = some_of(self.solver, ("leimkuhler_matthews",))
        return replace(self, sizes=(30,), solver=solver, runs=64)

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        claims = []
        n = cell["n"]
        mean, predicted = float(at["mean"]), float(at.predicted)
        if cell["solver"] != "euler":
            # Three standard errors of an exponential mean, and a correction of order 1/n.
            error = 3 / np.sqrt(max(float(at.escaped.sum()), 1)) + 1 / n
            name, exact = f"mean escape time, n={n}", float(at.corrected)
            claims += Claim.telling(name, mean, exact, error * exact, REDUCED)
        elif n >= 200 and self.dt >= 0.004:
            name, source = f"geodesic Euler over theory, n={n}", "its error is of order n dt"
            claims.append(Claim.at_least(name, mean / predicted, 2, source))
        return claims


def _escapes(flow, solver, key, shape, dt, target, end) -> tuple[np.ndarray, np.ndarray]:
    """When each run first passes the target, or the end; and whether it passed.

    Lanes whose run is over take the next one, so that none waits for the slowest.
    """
    runs, n = shape
    times, escaped = np.zeros(runs), np.zeros(runs, bool)
    run = np.arange(min(runs, LANES))
    parts, following = np.zeros_like(run), run.size
    x = jnp.zeros((run.size, n, 2), jnp.float32)
    while (run < runs).any():
        x, step = _advance(flow, solver, key, x, run, parts, jnp.asarray([dt, target]))
        step = np.asarray(step)
        steps = AT_ONCE * parts + np.where(step > 0, step, AT_ONCE)
        parts += 1
        over = (step > 0) | (dt * AT_ONCE * parts >= end)
        told = over & (run < runs)
        times[run[told]], escaped[run[told]] = dt * steps[told], step[told] > 0
        run[over] = following + np.arange(over.sum())
        parts[over], following = 0, following + over.sum()
    return times, escaped


@program_of_runs
def _advance(
    flow: AttentionFlow, solver, key, x: Float[Array, "lanes n d"], run, parts, numbers
) -> tuple[tuple[Float[Array, "lanes n d"], Int[Array, " lanes"]], Bool[Array, " lanes"]]:
    """Where the tokens are after `AT_ONCE` steps, and the first of these after which they are past the
    target, else 0. `parts` says how many such stretches a run has behind it: one of none starts anew."""
    dt, target = numbers

    def one(x: Points, run, part):
        start, noise = jax.random.split(jax.random.fold_in(key, run))
        fresh = Uniform(2).sample(start, len(x)).astype(x.dtype)
        moved = simulate(
            flow, jnp.where(part == 0, fresh, x), dt * jnp.arange(AT_ONCE + 1.0), dt=1.0001 * dt,
            observe={"r": _resultant}, key=jax.random.fold_in(noise, part), solver=solver, throw=False,
        )  # fmt: skip
        r = moved.values["r"][1:]
        past = r > target.astype(r.dtype)
        return (moved.final, jnp.where(past.any(), 1 + past.argmax(), 0)), moved.ok

    return jax.vmap(one)(x, run, parts)


def _resultant(x: Points) -> Scalar:
    return jnp.linalg.norm(x.mean(axis=0))
