from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import numpy as np
import scipy
import xarray as xr
from jaxtyping import Float

from ..machinery import Claim, Study, check_that, some_of

PAPER = "Geshkovski, Rigollet, Sun, arXiv 2412.09080"
KNOWN = {100.0: 0.457, 400.0: 0.480, 1600.0: 0.478}
"""Mean numbers of modes over sqrt(beta log beta) that another program drew, by beta."""
SHOWN = 1201
"""Places at which a density is shown: eight a bandwidth at the largest beta."""
REACH = 6.0
"""Normal tokens beyond 6 standard deviations: one in 10^9."""


@dataclass(frozen=True, kw_only=True)
class KernelModes(Study):
    """The modes of a kernel density of n normal tokens on the line, sum_i e^{-beta (x - x_i)^2/2}.

    They are where tokens gather first. `modes` is their mean number over `draws` of n = 10 beta^{4/5}
    tokens, with the standard error `error`; it grows as sqrt(beta log beta). `middle` is their number in
    |x| <= `half`, where each bandwidth holds many tokens, with `middle_error`, and `gaussian` what the
    formula of Kac and Rice gives there for normal slopes and curvatures. Farther out single tokens are
    modes of their own. `density` is that of the first cloud, over its largest value, at `place`, in standard
    deviations.

    Source: Geshkovski, Rigollet, Sun, arXiv 2412.09080, Theorem 1.2.
    """

    beta: tuple[float, ...] = (100.0, 200.0, 400.0, 800.0, 1600.0)
    """Inverse squares of the bandwidth."""
    half: float = 1.5
    """Half of the width of the middle, in standard deviations of the tokens."""
    draws: int = field(default=100, metadata={"least": 2})
    """Independent clouds."""

    GRID: ClassVar = {"beta": "beta"}
    QUANTITIES: ClassVar = {
        "modes": "mean number of modes",
        "error": "standard error of the mean number of modes",
        "middle": "mean number of modes in the middle",
        "middle_error": "standard error of the number in the middle",
        "tokens": "tokens",
        "gaussian": "modes in the middle, by Kac and Rice",
        "density": "kernel density of the first cloud over its largest value",
        "place": "place, in standard deviations of the tokens",
        "beta": "beta",
    }

    def check(self) -> None:
        check_that(0 < self.half <= 2, "0 < half <= 2", self.half, "pass half=1.5")
        check_that(min(self.beta) > 1, "beta > 1", min(self.beta), "pass beta=(100.0,)")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        beta = cell["beta"]
        n = tokens(beta)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(self.key(cell))))
        clouds = [rng.standard_normal(n) for _ in range(self.draws)]
        found, place = [modes(x, beta) for x in clouds], np.linspace(-3, 3, SHOWN)
        shown = np.exp(-beta / 2 * (place[:, None] - clouds[0]) ** 2).sum(axis=1)
        counts = np.array([(at.size, (np.abs(at) <= self.half).sum()) for at in found], float)
        mean, error = counts.mean(axis=0), counts.std(axis=0, ddof=1) / np.sqrt(self.draws)
        return xr.Dataset(
            {
                "modes": ((), mean[0]),
                "error": ((), error[0]),
                "middle": ((), mean[1]),
                "middle_error": ((), error[1]),
                "tokens": ((), float(n)),
                "gaussian": ((), expected_modes(n, beta, self.half)),
                "density": ("place", shown / shown.max()),
            },
            {"place": place},
        )

    def tiny(self) -> "KernelModes":
        return replace(self, beta=some_of(self.beta, (100.0, 400.0)), draws=20)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        made = []
        for beta in self.beta:
            at = dataset.sel(beta=beta)
            # Slopes are sums over the tokens of a bandwidth: normal up to a few of their inverse number.
            blur = 3 * at.middle_error + 3 * at.gaussian / (at.tokens * beta**-0.5)
            name = f"modes in the middle, beta={beta:g}"
            made += Claim.telling(name, at.middle, at.gaussian, blur, "Kac and Rice, normal slopes")
            if beta in KNOWN:
                unit = (beta * np.log(beta)) ** 0.5
                # Three standard errors of both means, as if that one were of as many draws.
                name, blur = (
                    f"modes/sqrt(beta log beta), beta={beta:g}",
                    3 * 2**0.5 * at.error / unit,
                )
                known = KNOWN[beta]
                made += Claim.telling(name, at.modes / unit, known, blur, "independent draws")
        first, last = (dataset.sel(beta=pick(self.beta)) for pick in (min, max))
        growth = [float(at.beta * np.log(at.beta)) ** 0.5 for at in (first, last)]
        ratio = float(last.modes / growth[1] / (first.modes / growth[0]))
        # The theorem says that this is bounded; without the logarithm it would grow by `effect`.
        effect = np.sqrt(np.log(float(last.beta)) / np.log(float(first.beta))) - 1
        blur = 3 * ratio * float(np.hypot(first.error / first.modes, last.error / last.modes))
        name = f"modes/sqrt(beta log beta), beta={max(self.beta):g} over beta={min(self.beta):g}"
        return [*made, *Claim.telling(name, ratio, 1, blur, f"{PAPER}, Theorem 1.2", effect)]


def tokens(beta: float) -> int:
    """n = 10 beta^{4/5}, within the range of the theorem."""
    return 10 * int(beta**0.8)


def modes(x: Float[np.ndarray, " n"], beta: float) -> Float[np.ndarray, " k"]:
    """The local maxima of the kernel density, on a grid of 16 points a bandwidth."""
    h = beta**-0.5
    # Between grid points only what is closer than h/16 could be missed: maxima are about h apart.
    grid = np.arange(-REACH, REACH, h / 16)
    x = np.sort(x)
    density = np.zeros_like(grid)
    for low in range(0, grid.size, 512):
        t = grid[low : low + 512]
        near = x[np.searchsorted(x, t[0] - 9 * h) : np.searchsorted(x, t[-1] + 9 * h)]
        density[low : low + 512] = np.exp(-beta / 2 * (t[:, None] - near) ** 2).sum(axis=1)
    inner = density[1:-1]
    return grid[1:-1][(inner > density[:-2]) & (inner >= density[2:]) & (inner > 0)]


def expected_modes(n: int, beta: float, half: float) -> float:
    """int_{|t| <= half} p_U(0) E[V^- | U = 0] dt, the first two derivatives U, V as if normal."""
    h = beta**-0.5
    t, width = np.linspace(-half, half, 801, retstep=True)
    y, step = np.linspace(-9, 9, 1201, retstep=True)
    law = scipy.stats.norm.pdf(t[:, None] - h * y) * h * step
    kernel = np.exp(-(y**2) / 2)
    first, second = -y * kernel, (y**2 - 1) * kernel  # in units of the bandwidth
    mean = [law @ first, law @ second]
    u, v = (n * (law @ f**2 - m**2) for f, m in zip((first, second), mean, strict=True))
    both = n * (law @ (first * second) - mean[0] * mean[1])
    at_zero = scipy.stats.norm.pdf(0, n * mean[0], np.sqrt(u))
    given, spread = n * mean[1] - both / u * n * mean[0], np.sqrt(v - both**2 / u)
    down = spread * scipy.stats.norm.pdf(given / spread) - given * scipy.stats.norm.cdf(
        -given / spread
    )
    return float(np.trapezoid(at_zero * down, dx=width) / h)
