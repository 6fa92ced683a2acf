import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int
from scipy import optimize

from ...latents import Transformer
from ...latents.profiles import draws
from ...latents.training import Batch, draw, masked_loss, parts_of_help, trained
from ..machinery import Claim, Study, check_that, some_of

RESAMPLES = 400
SLOWEST, FASTEST = 1e-2, 1e2
"""Curvatures that are tried, over the inverse of the time at the end."""


@dataclass(frozen=True, kw_only=True)
class ItoTerm(Study):
    """Does the loss of a transformer feel the noise of batches as Ito's rule says, or gradient flow alone?

    Training of the small transformer that comes with the package goes on, by stochastic gradient descent at
    a fixed rate eta on a fixed set of windows, in several runs of other batches. At equal times t = eta steps
    gradient flow (the mean of document E3 of `mf.surrogates`) has the same loss at all rates; E4 adds

        dL/dt = -2 c (L - L_0) + eta c s^2/2,    excess = (eta s^2/4)(1 - e^{-2 c t})

    with the curvature c and the variance s^2 of gradients. `excess` [rate, time] is the mean loss of the runs
    over that of descent with all windows at the same rate, `excess_each` that of a run. Of three runs of
    four `curvature` and `stall`, s^2/4, are the least squares, with the ends of bootstrap intervals over
    runs; `gain` is what E4 gains over E3 in the log density of a number of the other runs. `first` is
    tr(H C)/2, the rate at which excess over eta grows at the start: by the Hessian of the loss and the
    covariance of gradients, without any run; where the loss is convex excess stays below eta t `first`.
    `explained` is the share of the means of excess that one curvature explains.

    What to expect: without noise losses are those of gradient flow, the same at all rates; with noise they
    are higher from the first steps on, in proportion to the rate while that is small, and E4 tells runs
    that were not fitted far better than E3. So the term is seen, and soon at its end: losses decay in many
    directions, and noise dwells in those of the largest curvature.

    Source: Latz (2021), arXiv 2004.07177, for descent in continuous time.
    """

    rates: tuple[float, ...] = (0.1, 0.05, 0.025)
    """Learning rates eta."""
    batch: int = 4
    """Windows a step."""
    runs: int = field(default=32, metadata={"least": 8})
    """Runs at each rate."""
    windows: int = 32
    """Windows that are trained on."""
    span: float = 0.5
    """Time at the end."""
    saves: int = field(default=5, metadata={"least": 2})
    """Times at which losses are known, evenly spaced."""

    GRID: ClassVar = {"rate": "rates"}
    QUANTITIES: ClassVar = {
        "loss": "mean loss of runs [nat]",
        "plain": "loss of descent with all windows [nat]",
        "excess_each": "loss of a run over that of descent with all windows [nat]",
        "excess": "mean loss of runs over that of descent with all windows [nat]",
        "excess_error": "its standard error [nat]",
        "first": "excess over the rate, a unit of time, at the start [nat]",
        "curvature": "curvature c",
        "stall": "excess at the end over the rate, s^2/4 [nat]",
        "stall_low": "end of its interval [nat]",
        "stall_high": "end of its interval [nat]",
        "gain": "log density a number that E4 gains over E3 on each other run",
        "explained": "share of excess that one curvature explains",
        "rate": "learning rate",
        "time": "learning rate times steps",
        "run": "number of the run",
        "held_out": "number of a run that was not fitted",
    }

    def check(self) -> None:
        check_that(min(self.rates) > 0, "positive rates", min(self.rates), "pass 0.1")
        for rate in self.rates:
            steps = self.span / self.saves / rate
            check_that(
                abs(steps - round(steps)) < 1e-9 and steps >= 1,
                "a whole number of steps between saves",
                f"{steps:g}",
                "pass rates of which span/saves is a multiple",
            )

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        loss_of, weights = _start(self.windows, self.seed)
        steps = round(self.span / self.saves / cell["rate"])
        keys = jax.random.split(self.key(cell), self.runs)

        def losses(keys: Array, batch: int | None) -> np.ndarray:
            numbers = jnp.float32(cell["rate"]), jnp.asarray(steps), self.saves, batch
            return np.asarray(courses(loss_of, weights, self.windows, keys, *numbers), float)

        loss, plain = losses(keys, self.batch), losses(keys[:1], None)[0]
        return xr.Dataset(
            {
                "loss": ("time", loss.mean(axis=0)),
                "plain": ("time", plain),
                "excess_each": (("run", "time"), loss - plain),
            },
            {"time": self.span / self.saves * np.arange(1, self.saves + 1)},
        )

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = super().assemble(parts).transpose("rate", "run", "time", ...)
        each, rates = whole.excess_each.values, whole.rate.values
        whole["excess"] = whole.excess_each.mean("run", skipna=False)
        deviation = whole.excess_each.std("run", ddof=1, skipna=False)
        whole["excess_error"] = deviation / np.sqrt(self.runs)
        whole["first"] = ((), _first(self.windows, self.seed) / self.batch)
        return whole.assign(compared(whole.time.values, rates, each, self.seed))

    def tiny(self) -> "ItoTerm":
        return replace(self, rates=some_of(self.rates, (0.05, 0.025)), runs=min(self.runs, 16))

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        convex = "the mean of a quadratic loss is concave in time, by Ito's rule"
        bound = dataset.rate * dataset.time * dataset["first"]
        over = (dataset.excess - 4 * dataset.excess_error - bound).max(skipna=False)
        claims = []
        if len(self.rates) > 1:
            ends = dataset.plain.sel(rate=[max(self.rates), min(self.rates)])
            apart = np.abs(ends[0] - ends[1]) / dataset.excess.sel(rate=max(self.rates))
            name, flow = "losses without noise, apart, over excess", "gradient flow has no rate"
            claims = [Claim.at_most(name, apart.max(skipna=False), 0.5, flow)]
        return [
            *claims,
            Claim.at_least("Ito term, low end", dataset.stall_low, 0.0, "E3 has none"),
            Claim.at_most("excess over its first rate, beyond four errors", over, 0.0, convex),
        ]


class WindowLoss(eqx.Module):
    """The mean loss of windows by their numbers, each of which counts the same, by the weights."""

    rest: Transformer
    seen: Batch

    def __call__(self, weights: Any, rows: Int[Array, " windows"]) -> Float[Array, ""]:
        model: Any = eqx.combine(weights, self.rest)

        def one(row: Array) -> Array:
            return masked_loss(model, Batch(self.seen.ids[row][None], self.seen.hidden[row][None]))

        return jax.vmap(one)(rows).mean()


@functools.lru_cache(maxsize=1)
def _start(windows: int, seed: int) -> tuple[WindowLoss, Any]:
    """The loss, and the weights that ship in single precision."""
    model = trained()
    seen = draw(parts_of_help()[0], (windows,), model.longest, seed)
    weights, rest = eqx.partition(model, eqx.is_inexact_array)
    batch = Batch(jnp.asarray(seen.ids, jnp.int32), jnp.asarray(seen.hidden))
    return WindowLoss(rest, batch), jax.tree.map(lambda a: a.astype(jnp.float32), weights)


@eqx.filter_jit
def courses(
    loss: Callable[[Any, Array], Array],
    start: Any,
    count: int,
    keys: Array,
    rate: Array,
    steps: Array,
    saves: int,
    batch: int | None,
) -> Float[Array, "runs saves"]:
    """Losses of all `count` windows after each `steps` of descent, in runs with batches of their own; of all
    windows at every step where there is no `batch`."""
    whole = jnp.arange(count)

    def step(key: Array, weights: Any) -> Any:
        rows = whole if batch is None else jax.random.randint(key, (batch,), 0, count)
        return jax.tree.map(lambda p, g: p - rate * g, weights, jax.grad(loss)(weights, rows))

    def save(weights: Any, key: Array) -> tuple[Any, Array]:
        of = lambda k, w: step(jax.random.fold_in(key, k), w)
        weights = jax.lax.fori_loop(0, steps, of, weights)
        return weights, loss(weights, whole)

    return jax.lax.map(lambda key: jax.lax.scan(save, start, jax.random.split(key, saves))[1], keys)


@functools.lru_cache(maxsize=1)
def _first(windows: int, seed: int) -> float:
    return float(half_trace(*_start(windows, seed), windows))


@eqx.filter_jit
def half_trace(loss: Callable[[Any, Array], Array], weights: Any, count: int) -> Float[Array, ""]:
    """tr(H C)/2 with H the Hessian of the loss and C the covariance of the gradients g_w of windows w:
    (mean_w g_w H g_w - g H g)/2, with their mean g."""
    each = jax.lax.map(lambda k: jax.grad(loss)(weights, k[None]), jnp.arange(count))
    rows = jax.tree.map(lambda g: jnp.concatenate([g, g.mean(axis=0)[None]]), each)

    def bend(row: Any) -> Array:
        slope = lambda w: jax.grad(loss)(w, jnp.arange(count))
        turned = jax.jvp(slope, (weights,), (row,))[1]
        return jnp.stack(jax.tree.leaves(jax.tree.map(jnp.vdot, row, turned))).sum()

    bends = jax.lax.map(bend, rows)
    return (bends[:-1].mean() - bends[-1]) / 2


def excess_of(
    times: np.ndarray, rates: np.ndarray, curvature: float, stall: float
) -> Float[np.ndarray, "rate time"]:
    """What E4 adds to the loss: eta stall (1 - e^{-2 c t})."""
    return stall * rates[:, None] * -np.expm1(-2 * curvature * times)


def fitted(
    times: np.ndarray, rates: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> tuple[float, float]:
    """Curvature and stall by least squares of means [rate, time], in units of their spread. Given the
    curvature the rest is linear."""

    def linear(curvature: float) -> tuple[float, float]:
        design, rest = excess_of(times, rates, curvature, 1.0) / spread, mean / spread
        stall = float(np.sum(design * rest) / np.sum(design**2))
        return float(np.sum((rest - stall * design) ** 2)), stall

    tried = np.geomspace(SLOWEST, FASTEST, 60) / times[-1]
    k = int(np.argmin([linear(each)[0] for each in tried]))
    ends = np.log(tried[[max(k - 1, 0), min(k + 1, len(tried) - 1)]])
    best: Any = optimize.minimize_scalar(
        lambda u: linear(float(np.exp(u)))[0], bounds=ends, method="bounded"
    )
    curvature = float(np.exp(best.x))
    return curvature, linear(curvature)[1]


def compared(
    times: np.ndarray, rates: np.ndarray, each: Float[np.ndarray, "rate run time"], seed: int
) -> dict[str, Any]:
    """E4 fitted to three runs of four, and by how much it tells the others better than E3."""
    out = np.arange(each.shape[1]) % 4 == 3
    spread = each[:, ~out].std(axis=1, ddof=1)
    mean = each[:, ~out].mean(axis=1)
    curvature, stall = fitted(times, rates, mean, spread)
    found = excess_of(times, rates, curvature, stall)
    rows = draws(int((~out).sum()), seed, RESAMPLES)
    again = [
        fitted(times, rates, np.einsum("i,rit->rt", w, each[:, ~out]), spread)[1] for w in rows
    ]
    low, high = np.percentile(again, (2.5, 97.5))
    scores = [
        -0.5 * ((each[:, out] - m[:, None]) / spread[:, None]) ** 2 for m in (found, 0 * found)
    ]
    left = np.sum((mean - found) ** 2) / np.sum(mean**2)
    return {
        "curvature": ((), curvature),
        "stall": ((), stall),
        "stall_low": ((), float(low)),
        "stall_high": ((), float(high)),
        "gain": ("held_out", (scores[0] - scores[1]).mean(axis=(0, 2))),
        "explained": ((), 1 - float(left)),
    }
