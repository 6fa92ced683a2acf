"""One push at the best time against a pull that never ends: what makes two models agree for less."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import erfc

from meanfield.studies import OnePush

STUDIES = {"push": OnePush()}
SWITCH = 4.0
"""When tokens begin to attract."""


def draw(results: dict[str, xr.Dataset]) -> Figure:
    """Left: what a push is worth over its time; middle: agreement over length; right: at equal energy."""
    at = results["push"].isel(spread=0)
    fig, (worth, agree, quick) = plt.subplots(1, 3, figsize=(6.75, 2.6))
    t = np.linspace(0, float(at.push_time.max()), 200)
    late = np.exp(2 * (t[-1] - np.maximum(t, SWITCH)) / np.e**2)
    exact = 8 * np.exp(-np.maximum(SWITCH - t, 0) / np.e) * late
    worth.plot(t, exact, "-", color="0.4", label="linear flow")
    worth.plot(at.push_time, at["size"], "C0o", linestyle="none", label="adjoint run")
    worth.axvline(SWITCH, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    worth.set(xlabel="time of the push", ylabel="outcome changed, per length")
    worth.set(title="best as the square tips", ylim=(0, None))
    worth.legend(loc="lower center")
    _agreement(agree, at)
    quick.plot(at.strength, at.slowest, "C1s-")
    quick.set(xlabel="strength of the pull", ylabel="duration of the push", yscale="log")
    quick.set(title="least at the pull's energy", xscale="log", xticks=at.strength.values)
    low, high = np.log10([np.nanmin(at.slowest), np.nanmax(at.slowest)])
    quick.set(ylim=(10 ** (np.floor(low) - 0.1), 10 ** np.ceil(high)))
    quick.xaxis.set_major_formatter("{x:g}")
    for axis in (quick.xaxis, quick.yaxis):
        axis.set_minor_formatter("")
    return fig


def _agreement(ax: Axes, at: xr.Dataset) -> None:
    """What pairs need, sorted, beside that of alternating sums of angles which are normal."""
    pairs = at.pair.size
    least, most = np.sqrt(0.5) * 1e-4, 1.5 * float(at.length.max())
    length = np.geomspace(least, most, 200)
    # Sums of the angles of a model have the deviation 2 spread, of which e^{-4/e} is left when a
    # push of length a turns 4 a; the margin is its share of a mean length.
    scale = np.sqrt(0.5) * float(at.spread) / 2 * np.exp(-SWITCH / np.e)
    margin = STUDIES["push"].margin * np.sqrt(2 / np.pi)
    beyond = np.maximum(length / scale - margin, 0)
    ax.plot(length, 1 - erfc(beyond / np.sqrt(2)) ** 2 / 2, "-", color="0.4", label="linear flow")
    needed, share = np.sort(at.needed.values), np.arange(1, pairs + 1) / pairs
    ax.step([least, *needed, most], [share[0], *share, 1], "C0-", where="post", label="one push")
    error = np.sqrt(at.pulled * (1 - at.pulled) / pairs)
    ax.errorbar(at.length, at.pulled, error, fmt="C1s", capsize=2, label="endless pull")
    ax.set(xlabel="$W_2$ length of push or pull", ylabel="share of pairs that agree")
    ax.set(xscale="log", xlim=(least, most), ylim=(0.3, 1.05), title="a push needs less")
    ax.legend(loc="lower right")
