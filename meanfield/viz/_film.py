from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from .._checks import check_integer, check_positive
from .._door import door
from ._inputs import Real


@door
def film(
    fig: Figure, update: Callable[[Any], Any], frames: int | Sequence[Any], fps: Real = 12.0
) -> FuncAnimation:
    """A film of `fig`: `update(frame)` redraws it for each of `frames` (0, 1, ... if an integer), `fps`
    of them a second.

    What `update` draws stays until it takes it away: it begins with `ax.clear()`, or sets the data of
    lines that are there.

    The first frame is drawn at once and the layout then frozen, so that axes stand still. Save it
    with `film(...).save("name.gif", writer="pillow", dpi=100)`; a column-wide figure of 60 frames
    is a few hundred kB if little moves and nothing is shaded.

    Raises ValueError if there are no frames.
    """
    fps = float(check_positive(fps, "fps", "pass fps=12"))
    whole = (
        frames
        if isinstance(frames, range | list | tuple)
        else range(check_integer(frames, "frames"))
    )
    reel = [*whole]
    if not reel:
        raise ValueError("expected at least one frame, got none; pass frames >= 1.")
    update(reel[0])
    fig.canvas.draw()
    fig.set_layout_engine("none")

    def show(frame):
        update(frame)
        return ()

    return FuncAnimation(fig, show, frames=reel, interval=1000 / fps, cache_frame_data=False)
