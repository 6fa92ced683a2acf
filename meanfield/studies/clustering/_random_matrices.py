from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from ..._checks import check_choice
from ..._typing import Key, Points, Scalar
from ...attention.kernels import Softmax
from ...measures import Uniform
from ..machinery import AbstractDiagramStudy, Claim, check_that, disjoint_products, some_of

PAPER = "Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794"
FAMILIES = ("gaussian", "wigner_psd", "ginibre_gradient", "wigner_gradient")


@dataclass(frozen=True, kw_only=True)
class RandomMatrices(AbstractDiagramStudy):
    """When two tokens have met under random Q, K, V: P(<x_1, x_2> >= 1 - delta) over time and beta.

    Self-attention with logits beta <x, A y> and values V y. Each realization draws its own matrices,
    from Gaussian matrices G, G', G'' with entries of variance 1 and W = (G + G^T)/sqrt 2:

    - gaussian: A = G G'/sqrt d, V = G''
    - wigner_psd: A = W, V = G'' G''^T/sqrt d
    - ginibre_gradient: A = G G'/sqrt d, V = A/sqrt d
    - wigner_gradient: A = W, V = A/sqrt(d+1)

    In the last one A is symmetric and a multiple of V, so that the energy of a cloud
    E = (1/2 beta) mean_ij e^{beta <x_i, A x_j>} increases along the flow; `least_gain` is its least
    change, relative to E, between two checkpoints. Values of norm about 2 sqrt d turn tokens fast: the
    published step .1 is far from the flow there.

    Source: Geshkovski, Letrouit, Polyanskiy, Rigollet, arXiv 2312.10794, figure 5 and section 3.
    """

    families: tuple[str, ...] = FAMILIES
    """Laws of the matrices, one cell each and chunk."""
    d: int = 128
    """Ambient dimension."""
    n: int = 32
    """Tokens."""
    realizations: int = 32
    """Random starts, each with its matrices."""
    betas: int = 60
    """Inverse temperatures, evenly spaced."""
    chunk: int = 10
    """Inverse temperatures a cell."""

    QUANTITIES: ClassVar = {
        "probability": "P(<x_1, x_2> >= 1 - delta)",
        "least_gain": "least relative gain of the energy between checkpoints",
        "family": "law of the matrices",
    }

    def check(self) -> None:
        # A cap of measure 1e-20 is never met at the start; a smaller delta or a larger d has one.
        check_that(self.n > 1, "n > 1", self.n, "two tokens have to meet: pass n=32")
        check_that(self.beta_min < self.beta_max or self.betas == 1, "beta_min < beta_max",
                   (self.beta_min, self.beta_max), "swap them")  # fmt: skip

    def cells(self) -> list[dict[str, Any]]:
        return self.sweep("family", self.families)

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        family, betas = cell["family"], self.inverse_temperatures(cell["first"])
        # One key a family: the same starts and matrices serve every beta.
        key = jax.random.fold_in(jax.random.key(self.seed), FAMILIES.index(family))
        found = _count(self, family, jnp.asarray(betas), jax.random.split(key, self.realizations))
        arrays = {k: (("family", "beta", "time")[: v.ndim + 1], v[None]) for k, v in found.items()}
        coordinates = {"family": [family], "beta": betas, "time": np.asarray(self.times())}
        return xr.Dataset(arrays, coordinates)

    def assemble(self, parts: list[xr.Dataset]) -> xr.Dataset:
        whole = xr.combine_by_coords([part.as_numpy() for part in parts])
        assert isinstance(whole, xr.Dataset)
        whole = whole.sel(family=list(self.families))
        return whole.assign_attrs(integrator=self.integrator())

    def tiny(self) -> "RandomMatrices":
        few = {"d": 16, "n": 8, "realizations": 4, "betas": 3, "chunk": 3, "beta_max": 4.0}
        families = some_of(self.families, FAMILIES[3:])
        return replace(self, **few, families=families, end=6.0, checkpoints=30)

    def claims(self, dataset: xr.Dataset) -> list[Claim]:
        done = dataset.completed.values.min()
        start = dataset.probability.isel(time=0).values.max()
        claims = [
            Claim.close("share of runs completed", done, 1, 0, "no failure"),
            # A cap of measure below 1e-20 (d >= 16) is never met.
            Claim.close("P at t=0", start, 0, 0, "measure of a spherical cap"),
        ]
        if self.faithful or "wigner_gradient" not in self.families:
            return claims
        gain = dataset.least_gain.sel(family="wigner_gradient").values.min()
        # The flow climbs; its integrator errs by tol, times beta |A|, in the logarithm of the energy.
        name, source = "wigner_gradient: least relative gain of the energy", f"{PAPER}, section 3"
        slack = self.tol * self.beta_max * 2 * self.d**0.5
        return [*claims, Claim.at_least(name, gain, 0, source, slack)]


def matrices(family: str, key: Key, d: int) -> tuple[Float[Array, "d d"], Float[Array, "d d"]]:
    """A and V of one of the `FAMILIES`; ValueError for any other name."""
    first, second, third = jax.random.normal(key, (3, d, d))
    ginibre, wigner = first @ second / d**0.5, (first + first.T) / 2**0.5
    laws = {
        "gaussian": (ginibre, third),
        "wigner_psd": (wigner, third @ third.T / d**0.5),
        "ginibre_gradient": (ginibre, ginibre / d**0.5),
        "wigner_gradient": (wigner, wigner / (d + 1) ** 0.5),
    }
    return laws[check_choice(family, laws, "family")]


@partial(jax.jit, static_argnums=(0, 1))
def _count(study: RandomMatrices, family: str, betas, keys):
    """What is counted at each beta."""

    def one(beta, key):
        first, second = jax.random.split(key)
        logits, value = matrices(family, second, study.d)

        def log_energy(x: Points) -> Scalar:
            return jax.nn.logsumexp(beta * (x @ logits.T @ x.T))

        attention = Softmax(beta, query=logits.T, value=value)
        observe = {"products": disjoint_products, "log_energy": log_energy}
        return study.follow(attention, Uniform(study.d).sample(first, study.n), observe)

    def at(beta):
        values, ok = jax.vmap(partial(one, beta))(keys)
        reached = values["products"] >= 1 - study.delta
        return {
            "probability": reached.mean(axis=(0, 2), dtype=betas.dtype),
            "least_gain": jnp.expm1(jnp.diff(values["log_energy"])).min(),
            "completed": ok.mean(dtype=betas.dtype),
        }

    return jax.lax.map(at, betas)
