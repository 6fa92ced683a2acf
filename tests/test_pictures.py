"""The judge of figures tells bad pictures from good ones."""

import matplotlib.pyplot as plt
import pytest
import xarray as xr
from pictures import faults

DATA = {"a": xr.Dataset(coords={"beta": [4.0]})}


def _good():
    fig, ax = plt.subplots()
    mesh = ax.pcolormesh(
        [0, 1], [0, 1], [[0.0, 0.5], [0.5, 1.0]], vmin=0, vmax=1, shading="nearest"
    )
    fig.colorbar(mesh, label="density")
    ax.plot([0, 1], [0, 1], "o-", label="tokens", clip_on=False)
    ax.set(xlabel="time", ylabel="angle", title=r"$\beta = 4$", xlim=(0, 1), ylim=(0, 1))
    ax.legend()
    return fig, ax, mesh


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_a_good_picture_has_no_fault():
    assert faults(_good()[0], DATA) == []


BAD = {
    "no label at x": lambda fig, ax, mesh: ax.set_xlabel(""),
    "no label at y": lambda fig, ax, mesh: ax.set_ylabel(""),
    "stands in no legend": lambda fig, ax, mesh: ax.get_legend().remove(),
    "a pale legend": lambda fig, ax, mesh: ax.legend(labelcolor="white"),
    "an empty panel": lambda fig, ax, mesh: fig.add_axes((0, 0, 0.1, 0.1)).set_axis_off(),
    "beta is 9": lambda fig, ax, mesh: ax.set_title(r"$\beta = 9$"),
    "markers cut off": lambda fig, ax, mesh: ax.lines[0].set_clip_on(True),
    "colours above": lambda fig, ax, mesh: mesh.set_clim(0, 0.9),
    "colours below": lambda fig, ax, mesh: mesh.set_clim(0.1, 1),
    "without a name": lambda fig, ax, mesh: mesh.colorbar.set_label(""),
    "beyond the page": lambda fig, ax, mesh: fig.suptitle("a long line " * 20),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_picture_is_told(fault):
    fig, ax, mesh = _good()
    BAD[fault](fig, ax, mesh)
    assert [one for one in faults(fig, DATA) if fault in one]


def test_markers_beyond_the_frame_are_told():
    fig, ax, _ = _good()
    ax.plot([0.5], [3.0], "s", label="tokens")
    ax.set_ylim(0, 1)
    assert [one for one in faults(fig, DATA) if "markers cut off" in one]
