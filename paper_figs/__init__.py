'''Figures of papers: one module `fig_<paper>_<what>.py` each, found by its name.

    python -m paper_figs [NAME ...] [--tiny] [--demo] [--out DIR] [--list]

A figure never computes: it names its studies, at full size, and draws what they yield. The command
runs them through the store (so that a killed run resumes, and a study that two figures share is
computed once), applies `paper.mplstyle`, and saves PDF, PNG and, where there is an animation, GIF
under the figure's name. A complete one, `fig_textbook_decay.py`:

    """Exponential decay x' = -x from three starting points (a textbook)."""

    import matplotlib.pyplot as plt
    import xarray as xr
    from matplotlib.figure import Figure

    from meanfield.studies import Decay

    STUDIES = {"slow": Decay(rate=1.0), "fast": Decay(rate=2.0)}
    DEMO = {"slow": Decay(rate=1.0, n=100), "fast": Decay(rate=2.0, n=100)}

    def draw(results: dict[str, xr.Dataset]) -> Figure:
        fig, ax = plt.subplots()
        for name, result in results.items():
            ax.plot(result.start, result.x, "o", label=name)
        ax.set(xlabel="x(0)", ylabel="x(1)")
        ax.legend()
        return fig

In a file of your own, `my_figure.py`, drawn by `python -m paper_figs my_figure.py` or `meanfield figures
my_figure.py`, a study of your own comes from the file beside it: `from my_study import Decay`.

`STUDIES` is what the paper shows; `DEMO` (optional) is what `make demo` shows in about a minute: a
module without it is left out there, and refused if it is named. The first line of the docstring is
what `--list` prints. With `animate(results) -> matplotlib.animation.Animation` (see
`meanfield.viz.film`) there is a GIF too.
'''

import os

# XLA greets each program that it reads from its cache with an error about itself; the level is
# read when jax is first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
