from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from ...attention.kernels import Unnormalized
from ...dynamics.particles import AttentionFlow
from ...geometry import Sphere
from ...landscape.densities import growth_rates
from ...solve import simulate
from ..machinery import Claim, Study, check_that, program_of_runs, some_of, uniform_starts, wilson

PAPER = "arXiv 2507.22857: tokens on the circle meet from almost all starts for beta >= -.16"
TRIANGLE = "f'(2 pi/3) = -e^{-beta/2} (1/2 + 3 beta/4) for f(a) = e^{beta cos a} sin a"
AREA = "area of the basin, by stable manifolds of its saddles"
MODES = "rates k^2 I_k(beta)/beta about the uniform law"
SAFE, THRESHOLD = -0.16, -2 / 3
LEAST = -10.0
"""The inverse temperature down to which the basin of a triangle is known."""
NEAR = 0.02
"""How far, in radians, tokens start from the corners of a triangle to which they may return."""
STILL = 1e-3
"""The largest speed of tokens at rest."""
APART = 0.1
"""The least angle between two clusters at rest."""


@dataclass(frozen=True, kw_only=True)
class SyncMap(Study):
    """Where n tokens on the circle end, from uniform starts, over beta of both signs: a map.

    Under unnormalized attention pairs attract by f(a) = e^{beta cos a} sin a at the angle a. `met` is the
    share of clouds all of whose tokens are within a half circle at the end, whence they can only meet, with
    its 95 % interval from `low` to `high`; `triangle` is the share at rest in three clusters, `more` in more
    than three, and `lingers` what is left. All meet for beta >= -.16. Below -2/3 three equal clusters a third
    of the circle apart are stable: `returns` says, for n a multiple of three, whether a cloud that starts
    beside them ends there. For n = 3, `exact` is the share of the triangle, in the limit of negative beta
    that of starts on no half circle, 1/4. For large n the mode of the density that grows fastest decides, and
    only odd ones grow: three clusters win where `ratio`, the rate of the third over that of the first,
    exceeds 1.

    Source: Polyanskiy, Rigollet, Yao, arXiv 2507.22857; the shares are ours.
    """

    beta: tuple[float, ...] = (-6.0, -4.0, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, -0.16, 0.5, 2.0)
    """Inverse temperatures from -10, but 0."""
    n: tuple[int, ...] = (3, 4, 5, 6, 8, 9, 12, 16, 24, 48)
    """Tokens."""
    starts: int = field(default=400, metadata={"least": 2})
    """Clouds, the same for each beta; of three tokens, where the share is known, eight times as many."""
    time: float = 200.0
    """How long they run, for beta < 0 in units of e^{beta/2}, the time in which those of a triangle pull."""

    GRID: ClassVar = {"n": "n"}
    QUANTITIES: ClassVar = {
        "met": "share of clouds that meet",
        "low": "share that meet, lower end",
        "high": "share that meet, upper end",
        "triangle": "share of clouds in three clusters",
        "more": "share of clouds in more than three clusters",
        "lingers": "share of clouds not yet at rest",
        "returns": "whether tokens return to a triangle",
        "exact": "share of three tokens in a triangle, in theory",
        "ratio": "growth of the third mode over that of the first",
        "beta": "beta",
    }

    def check(self) -> None:
        check_that(0 not in self.beta, "beta != 0", 0, "pass beta=(-1.0,)")
        # Below, the manifold that bounds a basin turns too sharply to be followed.
        check_that(
            min(self.beta) >= LEAST, f"beta >= {LEAST:g}", min(self.beta), "pass beta=(-6.0,)"
        )
        check_that(min(self.n) >= 3, "n >= 3", min(self.n), "pass n=(3, 6)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        n, betas = cell["n"], jnp.asarray(self.beta)
        key, other = jax.random.split(self.key(cell))
        starts = [uniform_starts(key, self._count(n), n, 2)]
        if n % 3 == 0:
            angle = jnp.asarray(2 * np.pi / 3 * (np.arange(n) % 3))
            angle += NEAR * jax.random.uniform(other, (n,), minval=-1, maxval=1)
            starts.append(jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)[None])
        ends = _ends(betas, jnp.concatenate(starts), self.time * jnp.exp(jnp.minimum(betas, 0) / 2))
        shares = _shares(*(np.asarray(each) for each in ends))  # name: [beta, start]
        own = {name: found[:, : self._count(n)].mean(axis=1) for name, found in shares.items()}
        low, high = wilson(own["met"] * self._count(n), self._count(n))
        none = np.full(len(betas), np.nan)
        returns = shares["triangle"][:, -1].astype(float) if n % 3 == 0 else none
        exact = np.array([triangle_share(beta) for beta in self.beta]) if n == 3 else none
        ratio = np.array([_ratio(beta) for beta in self.beta])
        own |= {"low": low, "high": high, "returns": returns, "exact": exact, "ratio": ratio}
        return xr.Dataset(
            {name: ("beta", found) for name, found in own.items()}, {"beta": list(self.beta)}
        )

    def tiny(self) -> "SyncMap":
        return replace(
            self, beta=some_of(self.beta, (-3.0, -0.16)), n=some_of(self.n, (3,)), starts=50
        )

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        claims = []
        for n in self.n:
            for beta in self.beta:
                where, at = f"n={n}, beta={beta:g}", dataset.sel(n=n, beta=beta)
                if beta >= SAFE:
                    claims.append(Claim.close(f"share that meets, {where}", at.met, 1, 0, PAPER))
                if n % 3 == 0:
                    name, stable = f"back to the triangle, {where}", float(beta < THRESHOLD)
                    claims.append(Claim.close(name, at.returns, stable, 0, TRIANGLE))
                if n == 3:
                    claims.append(self._claim_area(at, where))
            claims.append(self._claim_half_circles(n, dataset.sel(n=n)))
        return claims + self._claim_modes(dataset.sel(n=max(self.n)))

    def _count(self, n: int) -> int:
        return self.starts * (8 if n == 3 else 1)

    def _claim_area(self, at: xr.Dataset, where: str) -> Claim:
        error = 4 * np.sqrt(at.exact * (1 - at.exact) / self._count(3))
        return Claim.close(f"share in a triangle, {where}", at.triangle, at.exact, error, AREA)

    def _claim_half_circles(self, n: int, at: xr.Dataset) -> Claim:
        least = n / 2 ** (n - 1)
        error = 4 * np.sqrt(least * (1 - least) / self._count(n))
        name, source = f"least share that meets, n={n}", "n/2^(n-1) starts on half circles"
        return Claim.at_least(name, at.met.min(skipna=False), least, source, error)

    def _claim_modes(self, at: xr.Dataset) -> list[Claim]:
        """Modes start at n^{-1/2}: of 24 tokens, one twice as fast is sqrt(5) ahead when clusters form."""
        claims = []
        for beta in self.beta if max(self.n) >= 24 else ():
            one, name = at.sel(beta=beta), f"most clouds of {max(self.n)}, beta={beta:g}"
            if beta < 0 and one.ratio >= 2:
                claims.append(Claim.at_least(f"{name}, in three", one.triangle, 0.5, MODES))
            if beta < 0 and one.ratio <= 0.5:
                claims.append(Claim.at_least(f"{name}, meet", one.met, 0.5, MODES))
        return claims


@program_of_runs
def _ends(betas, starts, times):
    """The clouds at the end, [beta, start, n, 2], and the speeds of their tokens."""

    def end(one, x):
        beta, time = one
        flow = AttentionFlow(Sphere(2), Unnormalized(beta))
        run = simulate(flow, x, jnp.stack([0 * time, time]), tol=1e-6, throw=False)
        speed = jnp.linalg.norm(flow.drift(time, run.final, None), axis=-1)
        return (run.final, speed), run.ok

    each = lambda one: jax.lax.map(lambda x: end(one, x), starts)
    return jax.lax.map(each, (betas, times))


def _shares(x: np.ndarray, speed: np.ndarray) -> dict[str, np.ndarray]:
    """Which clouds [..., n, 2] meet, rest in three clusters or in more, or do neither."""
    angle = np.sort(np.arctan2(x[..., 1], x[..., 0]), axis=-1)
    gaps = np.diff(angle, axis=-1, append=angle[..., :1] + 2 * np.pi)
    met, clusters = gaps.max(axis=-1) > np.pi, (gaps > APART).sum(axis=-1)
    rest = ~met & (speed.max(axis=-1) < STILL)
    three, more = rest & (clusters == 3), rest & (clusters > 3)
    return {"met": met, "triangle": three, "more": more, "lingers": ~(met | three | more)}


def triangle_share(beta: float) -> float:
    """The share of three uniform tokens that end in a triangle: the area of its basin.

    Gaps p, q, r of three tokens on the circle, p + q + r = 2 pi, are uniform on a triangle of side
    2 pi. Six equal parts of the basin lie between its centre, a saddle p = q, and the source
    (p, q, r) = (pi, 0, pi), to which the stable manifold of the saddle leads back.
    """
    # Divided by that of the pair that pulls most: at low beta all others are out of range.
    balance, corner = lambda s: _pulls(beta, s, 2 * s).sum(), 2 * np.pi / 3
    if beta >= THRESHOLD or balance(corner - 1e-6) >= 0:
        return 0.0

    def back(_, gaps):
        p, q = gaps
        one, two, both = _pulls(beta, p, q, p + q)
        first, last = one + both, -two - both
        way = np.array([first - two + one, two - one - last])
        return way / np.linalg.norm(way)

    saddle = float(np.asarray(brentq(balance, np.pi / 2, corner - 1e-6, xtol=1e-14)))
    start = saddle + 1e-4 * np.array([1, -1])
    path = solve_ivp(back, (0, 4), start, rtol=1e-8, atol=1e-8, events=_arrives).y
    p, q = np.concatenate([[[corner, corner]], [[saddle, saddle]], path.T, [[np.pi, 0]]]).T
    area = abs(np.sum(p * np.roll(q, -1) - q * np.roll(p, -1))) / 2
    return 6 * area / (2 * np.pi**2)


def _pulls(beta: float, *angles: float) -> np.ndarray:
    """f(a) = e^{beta cos a} sin a at these angles, over the largest exponential."""
    rise = beta * np.cos(angles)
    return np.exp(rise - rise.max()) * np.sin(angles)


def _arrives(_, gaps) -> float:
    return gaps[1] - 1e-3


_arrives.terminal = True


def _ratio(beta: float) -> float:
    rates = growth_rates(Unnormalized(beta), 2, 0.0, 3)
    return float(rates[3] / rates[1])
