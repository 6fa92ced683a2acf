"""When two tokens have met, over time and beta, for six dimensions (arXiv 2312.10794, figure 3).

Above: the layers of the published code, with their own limit for large d (dashed). Below: the flow,
integrated accurately. Both against the hitting time of the equiangular reduction (full line), which
is exact for orthonormal tokens.
"""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure, SubFigure

from meanfield.studies import PhaseDiagram
from meanfield.viz import overlay_curve, phase_map

STUDIES = {"layers": PhaseDiagram(faithful=True), "flow": PhaseDiagram(realizations=256)}
DEMO = {
    "layers": PhaseDiagram(faithful=True, realizations=32, betas=24, chunk=24),
    "flow": PhaseDiagram(dimensions=(2, 32, 1024), realizations=8, betas=24, chunk=24),
}


COLUMNS = 3


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Six panels of the published layers above three of the accurate flow."""
    layers, flow = results["layers"], results["flow"]
    some = flow.isel(d=sorted({0, flow.sizes["d"] // 2, flow.sizes["d"] - 1}))
    rows = [-(-layers.sizes["d"] // COLUMNS), 1]
    heights = [0.8 + 1.6 * row for row in rows]  # titles above, labels and a legend below
    fig = plt.figure(figsize=(6.75, sum(heights)))
    above, below = fig.subfigures(2, 1, height_ratios=heights)
    h = layers.integrator.rpartition(" ")[2]
    above.suptitle(rf"as published: layers $x \leftarrow N(x + h f(x))$, $h = {h}$")
    below.suptitle(f"the flow itself: adaptive {flow.integrator}")
    _block(above, layers, rows[0])
    _block(below, some, 1)
    return fig


def _block(part: SubFigure, result: xr.Dataset, rows: int) -> None:
    columns = min(COLUMNS, result.sizes["d"])
    axes = part.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat[result.sizes["d"] :]:
        ax.remove()
    meshes = [_panel(ax, result.sel(d=d)) for ax, d in zip(axes.flat, result.d, strict=False)]
    for ax in axes[-1]:
        ax.set_xlabel("time $t$")
    for ax in axes[:, 0]:
        ax.set_ylabel(r"$\beta$")
    curves = {}
    for ax in axes.flat:
        curves |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    part.legend(curves.values(), curves, loc="outside lower center", ncols=2)
    label = r"$P\,(\langle x_1, x_2\rangle \geq 1 - \delta)$"
    part.colorbar(meshes[0], ax=axes, label=label, aspect=18 * rows, pad=0.015, ticks=[0, 0.5, 1])


def _panel(ax: Axes, at: xr.Dataset) -> QuadMesh:
    mesh = phase_map(ax, at.time, at.beta, at.probability.transpose("beta", "time"), vmin=0, vmax=1)
    ax.set_title(f"$d = {int(at.d)}$")
    overlay_curve(ax, at.equiangular_time, at.beta, "equiangular, exact", linewidth=1)
    met = np.where(np.isfinite(at.orthonormal_time), at.orthonormal_time, np.nan)
    if at.integrator.startswith("layers") and np.isfinite(met).any():
        dashed = {"linestyle": (0, (3, 2)), "linewidth": 0.9}
        overlay_curve(ax, met, at.beta, "orthonormal, these layers", **dashed)
    return mesh
