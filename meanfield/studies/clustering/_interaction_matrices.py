from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ...dynamics.particles import GradientFlow
from ...energies import Interaction
from ...geometry import Sphere
from ...solve import simulate
from ..machinery import AbstractCellwiseStudy, Claim, check_that, program_of_runs

PAPER = "Burger, Kabri, Korolev, Roith, Weigand, arXiv 2501.03096"
MATRICES = {
    "definite": (1.0, 0.5, 0.25),
    "indefinite": (1.0, 0.3, -0.6),
    "negative": (-1.0, -0.5, -0.25),
}
"""Eigenvalues of the matrix D: that of largest modulus is the first."""
SPHERE = Sphere(3)


@dataclass(frozen=True, kw_only=True)
class InteractionMatrices(AbstractCellwiseStudy):
    """Where clouds on the sphere go that ascend or descend the interaction energy of a matrix D.

        E(mu) = 1/(2 beta) iint e^{beta <x, D y>} dmu dmu,    D diagonal: definite, indefinite, negative

    `up` and `down` are the energies of clouds that ascended and descended, from uniform starts half of which
    lie within a hemisphere; `highest` and `lowest` are the best clouds. With lambda the eigenvalue of largest
    modulus, single points at its eigenvectors have the energy e^{beta lambda}/(2 beta), `point`: no cloud has
    more if lambda > 0, and none has less if lambda < 0, since |<x, D y>| <= |lambda|. For lambda < 0 as much
    mass at either eigenvector has cosh(beta lambda)/(2 beta), which is the most among antipodal pairs.

    Source: Burger, Kabri, Korolev, Roith, Weigand, arXiv 2501.03096, figures 3 and 7.
    """

    matrix: tuple[str, ...] = ("definite", "indefinite", "negative")
    """Kinds of matrices."""
    beta: float = 2.0
    """Inverse temperature."""
    n: int = 24
    """Tokens of a cloud."""
    starts: int = field(default=16, metadata={"least": 2})
    """Clouds."""
    time: float = 250.0
    """How long they ascend and descend."""

    GRID: ClassVar = {"matrix": "matrix"}
    QUANTITIES: ClassVar = {
        "values": "eigenvalues of the matrix",
        "beta": "inverse temperature",
        "point": "energy of a point at the first eigenvector",
        "up": "energy of clouds that ascended",
        "down": "energy of clouds that descended",
        "highest": "cloud of the highest energy",
        "lowest": "cloud of the lowest energy",
        "start": "number of the start",
        "token": "token",
        "axis": "coordinate",
        "matrix": "kind of the matrix",
    }

    def check(self) -> None:
        known = all(kind in MATRICES for kind in self.matrix)
        check_that(known, f"matrix among {[*MATRICES]}", self.matrix, "choose from these")
        check_that(self.beta > 0, "beta > 0", self.beta, "pass beta=2.0")

    def compute(self, cell: dict[str, Any]) -> xr.Dataset:
        values = jnp.asarray(MATRICES[cell["matrix"]])
        energy = Interaction(self.beta, matrix=jnp.diag(values))
        starts = _starts(jax.random.key(self.seed), self.starts, self.n)
        ends = {}
        for name, best, sign in (("up", "highest", -1), ("down", "lowest", 1)):
            found, energies = _run(sign * energy, energy, starts, jnp.asarray(self.time))
            ends[name] = ("start", energies)
            cloud = found[jnp.argmin(sign * energies)]
            # The energy is that of -x: most of a cloud is turned to the positive side.
            total = cloud.sum(axis=0)
            turned = total[jnp.argmax(jnp.abs(total))] < 0
            ends[best] = (("token", "axis"), jnp.where(turned, -cloud, cloud))
        return xr.Dataset(
            {
                "values": ("axis", values),
                "beta": ((), self.beta),
                "point": ((), np.exp(self.beta * float(values[0])) / (2 * self.beta)),
                **ends,
            },
            {"start": np.arange(self.starts), "token": np.arange(self.n)},
        )

    def tiny(self) -> "InteractionMatrices":
        return replace(self, n=8, starts=4)

    def claims_at(self, cell: dict[str, Any], at: xr.Dataset) -> list[Claim]:
        kind, first, point = str(at.matrix.item()), float(at["values"][0]), float(at.point)
        # Clouds settle at rates of about the gap of eigenvalues: what is left is the solver's.
        blur = 1e-5 * float(abs(at.point))
        if first > 0:
            best, cloud, over = at.up.max(), at.highest, at.up.max() - point
        else:
            best, cloud, over = at.down.min(), at.lowest, point - at.down.min()
        word = "highest" if first > 0 else "lowest"
        alone = np.abs(cloud.values[:, 0]).min(), np.ptp(np.sign(cloud.values[:, 0]))
        made = [
            Claim.close(f"{word} energy, {kind} matrix", best, point, blur, PAPER),
            Claim.at_most(f"energy beyond a point's, {kind} matrix", over, 0, PAPER, 1e-12),
            Claim.close(f"least |<x, v>| there, {kind} matrix", alone[0], 1, 1e-5, PAPER),
            Claim.close(f"at one of +v and -v, {kind} matrix", alone[1], 0, 0, PAPER),
        ]
        if first < 0:
            most = np.cosh(self.beta * first) / (2 * self.beta)
            pair = f"highest energy, {kind} matrix: as much at v as at -v"
            made.append(Claim.close(pair, at.up.max(), most, 1e-5 * most, "antipodal pairs"))
        return made


def _starts(key, count: int, n: int):
    """Uniform clouds, of which every other one is moved to a hemisphere of its own."""
    x = SPHERE.sample(key, count * n).reshape(count, n, 3)
    side = jnp.sign(jnp.sum(x * x[:, :1], axis=-1, keepdims=True))
    return jnp.where((jnp.arange(count) % 2 == 1)[:, None, None], side * x, x)


@program_of_runs
def _run(descended, energy, starts, time):
    """Where the starts end, and the energies there."""
    flow = GradientFlow(SPHERE, descended)
    ts = jnp.stack([jnp.zeros_like(time), time])

    def one(x):
        run = simulate(flow, x, ts, tol=1e-8, throw=False)
        return (run.final, energy(run.final)), run.ok

    return jax.lax.map(one, starts)
