"""When two tokens have met under four laws of random Q, K, V (arXiv 2312.10794, figure 5)."""

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from meanfield.studies import RandomMatrices
from meanfield.viz import phase_map

STUDIES = {
    "layers": RandomMatrices(faithful=True),
    "flow": RandomMatrices(families=("ginibre_gradient", "wigner_gradient"), realizations=8),
}
NAMES = {
    "gaussian": "$A = GG'/\\sqrt{d}$, $V = G''$",
    "wigner_psd": "$A = W$, $V = G''G''^T/\\sqrt{d}$",
    "ginibre_gradient": "$A = GG'/\\sqrt{d}$, $V = A/\\sqrt{d}$",
    "wigner_gradient": "$A = W$, $V = A/\\sqrt{d+1}$",
}


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """A panel a law, the published layers first and the accurate flow after them."""
    panels = [one.sel(family=name) for one in results.values() for name in one.family.values]
    rows = -(-len(panels) // 2)
    fig, axes = plt.subplots(rows, 2, figsize=(6.75, 0.4 + 1.9 * rows), squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.remove()
    for ax, at in zip(axes.flat, panels, strict=False):
        share = at.probability.transpose("beta", "time")
        mesh = phase_map(ax, at.time, at.beta, share, vmin=0, vmax=1)
        ax.set_title(f"{NAMES[str(at.family.values)]}   ({at.integrator})")
        ax.set(xlabel="time $t$", ylabel=r"$\beta$")
        ax.label_outer()
    label = r"$P\,(\langle x_1, x_2\rangle \geq 1 - \delta)$"
    fig.colorbar(mesh, ax=axes, label=label, aspect=50, pad=0.015)
    return fig
