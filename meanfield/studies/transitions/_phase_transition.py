from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline
from scipy.special import gammaln

from ...attention.engines import Harmonic
from ...attention.kernels import Unnormalized
from ...landscape.densities import Branch, branch, crossing, tricritical_beta
from ...measures import Uniform
from ..machinery import TELLING, Claim, Study
from ._noise_sweeps import concentrated, sweep_density, sweep_tokens

PAPER = "arXiv 2606.05140 and 2604.16288"
TRICRITICAL = {2: 2.44692, 3: 1.81615, 8: 1.26655}
"""beta_* by d."""
THRESHOLDS = {(2, 3.0): (0.37609, 0.37942), (2, 5.0): (0.09399, 0.10273)}
"""1/(2 noise) by d and beta: where the free energies cross, and where the uniform law gives way."""
CLUSTERED = 0.05
"""The mean resultant of a density that has a cluster; the least of those below has more."""
DIRECTIONS = ("heating", "cooling")


@dataclass(frozen=True, kw_only=True)
class PhaseTransition(Study):
    """Noise against attention: the order parameter over the noise, raised and lowered, found three ways.

    Unnormalized attention with noise nu on S^{d-1}. Below nu_c = a_1/beta the uniform law is unstable
    and tokens cluster. Up to beta_*(d) clusters grow continuously out of it as nu falls; beyond, they
    appear by a jump, at a noise above nu_c where free energies cross, and there is hysteresis: heated,
    a cluster lasts up to the fold of its branch, while a cooled uniform cloud lasts down to nu_c.

    `order` is the mean resultant |int x rho|, and `share` is noise/nu_c: on the `branch_` of stationary
    states, stable or not, by continuation; of the Fokker-Planck equation, and of `n` tokens with their
    standard error over `replicas`, each swept in both directions.

    Source: arXiv 2606.05140 and 2604.16288 (noise K = 1/(2 nu)).
    """

    d: int = 2
    """Ambient dimension; tokens cost O(n) for d = 2 and 3, and O(n^2) beyond."""
    beta: tuple[float, ...] = (2.2, 3.0, 5.0)
    """Inverse temperatures: .9 beta_*, a weak and a strong jump on the circle."""
    degree: int = 64
    """Of the zonal harmonics."""
    rungs: int = 8
    """Noises at which the density is swept, on each side of nu_c."""
    n: int = field(default=500, metadata={"least": 0})
    """Tokens; 0 leaves them out."""
    replicas: int = field(default=4, metadata={"least": 2})
    """Independent clouds in each direction."""
    token_share: tuple[float, ...] = (0.7, 0.85, 0.95, 1.05, 1.2, 1.5)
    """Noises of the tokens, over nu_c."""
    wait: float = 24.0
    """Time at each noise before tokens are looked at, and while they are, times nu_c."""
    dt: float = 0.01
    """Step of the tokens, times nu_c."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "branch_share": "noise over nu_c on the branch",
        "branch_order": "mean resultant on the branch",
        "branch_unstable": "unstable directions on the branch",
        "branch_free_energy": "free energy on the branch",
        "first_order": "whether the transition is of first order",
        "tokens": "mean resultant, tokens",
        "token_share": "noise over nu_c, tokens",
        "direction": "direction of the sweep",
        "point": "point of the branch",
        "rung": "rung of the sweep",
        "critical": "critical noise nu_c",
        "crossing": "noise at which free energies cross",
        "jump": "mean resultant at the crossing",
        "tricritical": "inverse temperature beta_* of the tricritical point",
        "order": "mean resultant, density",
        "share": "noise over nu_c",
    }

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        diagram = branch(Unnormalized(cell["beta"]), self.d, degree=self.degree)
        found = xr.merge([_diagram(diagram), self._density(diagram)])
        found["tricritical"] = (), tricritical_beta(self.d), {"long_name": "beta_*"}
        if self.n:
            tokens = self._tokens(cell, float(diagram.critical))
            found["tokens"] = ("direction", "token_share"), tokens.mean(axis=1)
            error = tokens.std(axis=1, ddof=1) / np.sqrt(self.replicas)
            found["tokens_error"] = ("direction", "token_share"), error
            found = found.assign_coords(token_share=list(self.token_share))
        return found.assign_coords(direction=list(DIRECTIONS))

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        """One beta after the other; shorter branches and sweeps are filled up with NaN."""
        whole = xr.concat(parts, dim="beta", join="outer", data_vars="all", coords="minimal")
        return whole.assign_coords(beta=list(self.beta))

    def tiny(self) -> "PhaseTransition":
        return replace(self, beta=self.beta[-1:], rungs=2, n=0)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        star = float(tricritical_beta(self.d))
        claims = []
        if self.d in TRICRITICAL:
            known = TRICRITICAL[self.d]
            claims = [Claim.close(f"beta_*, d={self.d}", star, known, 5e-6, PAPER)]
        for beta in self.beta:
            at = dataset.sel(beta=beta)
            claims += _transition_claims(at, self.d, star) + _sweep_claims(at)
            claims += self._token_claims(at) if self.n else []
        return claims

    def _density(self, diagram: Branch) -> xr.Dataset:
        """Both sweeps of the density, two thirds of whose upper half a window of hysteresis takes."""
        window = float(diagram.noise.max() / diagram.critical) - 1
        spacing = 1.5 * max(window, 0.1) / self.rungs
        shares = 1 + spacing * (np.arange(-self.rungs, self.rungs) + 0.5)
        if self.n:
            shares = np.union1d(shares, self.token_share)
        noises = jnp.asarray(shares) * diagram.critical
        # Half a spacing from nu_c perturbations grow or fall at the least by e^6.
        wait = 12 / (spacing * (self.d - 1) * diagram.critical)
        uniform = jnp.zeros(diagram.basis.size).at[0].set(1.0)
        setting = diagram.attention, diagram.basis
        up, rested_up = sweep_density(*setting, noises, concentrated(diagram.basis), wait)
        down, rested_down = sweep_density(*setting, noises[::-1], uniform, wait)
        coeffs = jnp.stack([up, down[::-1]])
        order = jnp.abs(coeffs[..., 1]) / jnp.sqrt(self.d)
        rested = jnp.stack([rested_up, rested_down[::-1]]).all()
        arrays = {
            "share": ("rung", shares),
            "order": (("direction", "rung"), order),
            "rested": ((), rested, {"long_name": "whether every state was brought to rest"}),
        }
        return xr.Dataset(arrays, {"rung": np.arange(shares.size)})

    def _tokens(self, cell: dict[str, Any], critical: float) -> np.ndarray:
        """Mean resultants [direction, replica, token_share]."""
        beta, d = cell["beta"], self.d
        engine = Harmonic.of(beta, d, 1e-6) if d in (2, 3) else None
        attention = Unnormalized(beta, engine=engine)
        noises = jnp.asarray(self.token_share) * critical
        start, *keys = jax.random.split(self.key(cell), 3)
        uniform = Uniform(d).sample(start, self.replicas * self.n)
        uniform = uniform.reshape(self.replicas, self.n, d)
        cluster = uniform.at[..., 0].add(2.0)
        cluster /= jnp.linalg.norm(cluster, axis=-1, keepdims=True)
        scale = self.wait / critical, self.dt / critical
        wait, dt = map(jnp.asarray, scale)
        pairs = [jax.random.split(key, self.replicas) for key in keys]
        up = sweep_tokens(attention, noises, cluster, pairs[0], wait, dt)
        down = sweep_tokens(attention, noises[::-1], uniform, pairs[1], wait, dt)
        return np.asarray(jnp.stack([up, down[:, ::-1]]))

    def _token_claims(self, at: xr.Dataset) -> list[Claim]:
        """Tokens against the density, where neither has a memory of where it came from."""
        beta, fold = float(at.beta), float(at.branch_share.max())
        density = at.order.values[:, np.searchsorted(at.share.values, self.token_share)]
        share = np.asarray(self.token_share)
        below, above = share <= 0.85, share >= fold + 0.3
        # Fluctuations across the axis lengthen the mean by 1/(2nR), susceptible as 1/(1 - share);
        # a step dt of a cluster of variance 2(1-R) has the effect of a noise larger by nu dt/(4(1-R)).
        bias = 2 / (self.n * (1 - share[below])) + share[below] * self.dt / 4 / (1 - share[below])
        off = np.abs(at.tokens.values - density)[:, below]
        allowed = 3 * at.tokens_error.values[:, below] + bias
        source = "law of large numbers: 3 standard errors, and O(1/n + dt)"
        telling = ~(allowed >= TELLING * density[:, below])  # and so is a NaN, which then fails
        claims, name = [], f"beta={beta:g}: tokens below nu_c, in tolerances"
        if telling.any():
            claims = [Claim.at_most(name, (off / allowed)[telling].max(), 1, source)]
        # sqrt(n/s) x_mean is a Gaussian vector with covariance 1/d, s = nu/(nu - nu_c): |x_mean| has
        # the mean of a chi variable (Rayleigh's on the circle). Nonlinear terms are of relative order
        # its square. It forgets at twice the rate (d-1)(nu - nu_c), so that a time T holds T times
        # the rate of independent looks.
        chi = np.sqrt(2 / self.d) * np.exp(gammaln((self.d + 1) / 2) - gammaln(self.d / 2))
        for k in np.flatnonzero(above):
            mean = chi / np.sqrt((1 - 1 / share[k]) * self.n)
            looks = 2 * self.replicas * self.wait * (self.d - 1) * (share[k] - 1)
            error = 4 * mean * np.sqrt((1 / chi**2 - 1) / looks) + 4 * mean**3
            name, measured = f"beta={beta:g}: tokens at {share[k]:g} nu_c", at.tokens.values[:, k]
            claims += Claim.telling(name, measured.mean(), mean, error, "Gaussian fluctuations")
        return claims


def _diagram(diagram: Branch) -> xr.Dataset:
    """The branch of stationary states, and its transition."""
    transition = crossing(diagram)
    arrays = {
        "branch_share": ("point", diagram.noise / diagram.critical),
        "branch_order": ("point", diagram.order),
        "branch_unstable": ("point", diagram.unstable.astype(float)),
        "branch_free_energy": ("point", diagram.free_energy),
        "first_order": ((), diagram.first_order),
        "critical": ((), diagram.critical),
        "crossing": ((), transition.noise),
        "jump": ((), transition.jump),
    }
    return xr.Dataset(arrays, {"point": np.arange(diagram.noise.size)})


def _transition_claims(at: xr.Dataset, d: int, star: float) -> list[Claim]:
    beta = float(at.beta)
    name = f"d={d}, beta={beta:g}"
    kind = bool(at.first_order) == (beta > star)
    claims = [Claim.holds(f"{name}: first order iff beta > beta_*", kind, PAPER)]
    if (d, beta) in THRESHOLDS:
        crossed, linear = THRESHOLDS[d, beta]
        claims += [
            Claim.close(f"{name}: 1/(2 noise), crossing", 0.5 / at.crossing, crossed, 6e-6, PAPER),
            Claim.close(f"{name}: 1/(2 noise), linear", 0.5 / at.critical, linear, 6e-6, PAPER),
        ]
    if (d, beta) == (2, 5.0):
        claims.append(Claim.close(f"{name}: jump", at.jump, 0.75, 5e-3, PAPER))
    return claims


def _sweep_claims(at: xr.Dataset) -> list[Claim]:
    """The density is on the branch, and leaves it where it folds, or the uniform law at nu_c."""
    name, kept = f"beta={float(at.beta):g}", at.dropna("rung", subset=["share"])
    branch_ = at.dropna("point", subset=["branch_share"])
    share, order = kept.share.values, kept.order.values
    noise_of = CubicSpline(branch_.branch_order, branch_.branch_share, extrapolate=False)
    fold, clustered = float(branch_.branch_share.max()), order > CLUSTERED
    claims = [Claim.holds(f"{name}: all states at rest", kept.rested, "Newton's method")]
    # A branch may end before the most concentrated of the states: those have nothing to lie on.
    along = clustered & (order <= float(branch_.branch_order.max()))
    if along.any():
        # Chords are .1 long at most: h^4/384 times a fourth derivative, that of the far end the largest.
        off, source = np.abs(noise_of(order) / share - 1)[along].max(), "cubic interpolation"
        claims.append(Claim.close(f"{name}: density off the branch, noise", off, 0, 1e-3, source))
    for direction, lasting, edge in zip(DIRECTIONS, clustered, (fold, 1.0), strict=True):
        last = int(np.flatnonzero(lasting)[-1]) if lasting.any() else 0
        ends = np.append(share, np.nan)[last : last + 2]  # NaN where it lasts to the last noise
        middle, half = ends.mean(), abs(share[1] - share[0])
        half = (ends[1] - ends[0]) / 2 if lasting.any() and last + 1 < len(share) else half
        where = f"{name}: {direction}, last clustered noise over nu_c"
        claims.append(Claim.close(where, middle, edge, half, f"{PAPER}: fold and linear stability"))
    split = int((clustered[0] != clustered[1]).sum())
    if fold > 1.05:
        claims.append(Claim.at_least(f"{name}: noises of hysteresis", split, 1, PAPER))
    elif not bool(kept.first_order):
        claims.append(Claim.close(f"{name}: noises of hysteresis", split, 0, 0, PAPER))
    return claims
