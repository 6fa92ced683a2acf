"""A trained feed-forward layer lets a law gather, then leave in the last layers (2605.07772)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import EscapedClusters
from meanfield.viz import angle_ticks

STUDIES = {"escaped": EscapedClusters()}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: the law over depth where weights are dear; middle: order, by penalty; right: where the weights
    are. Dashed: from the weights found where they are cheap."""
    at = results["escaped"]
    fig, (law, order, spent) = plt.subplots(1, 3, figsize=(6.75, 2.7))
    dear = at.isel(effort=min(1, at.effort.size - 1))
    density = dear.density.sel(begin="nothing").transpose("angle", "depth")
    shown = law.pcolormesh(at.depth, at.angle, density, cmap="magma_r", vmin=0, shading="gouraud")
    fig.colorbar(shown, ax=law, label="density")
    angle_ticks(law.yaxis)
    law.set(xlabel="depth", ylabel="angle of a token [rad]")
    law.set_title(f"penalty {float(dear.effort):g}")
    order.plot(at.depth, at.isel(effort=0).idle, "-", color="0.5", label="attention alone")
    for k, effort in enumerate(at.effort.values):
        for begin, line in (("nothing", "-"), ("cheap weights", "--")):
            one = at.sel(effort=effort, begin=begin)
            label = f"penalty {effort:g}" if line == "-" else None
            order.plot(at.depth, one.order, f"C{k}{line}", label=label)
            spent.plot(at.depth, one.spent, f"C{k}{line}")
    order.plot([], [], "--", color="0.3", label="from cheap weights")
    order.set(xlabel="depth", ylabel="length of the mean token", ylim=(0, 1))
    order.set_title("dear: gather, then leave")
    spent.set(xlabel="depth", ylabel="squared weights of a layer", ylim=(0, None))
    spent.set_title("where the weights are")
    fig.legend(loc="outside lower center", ncols=5)
    return fig
