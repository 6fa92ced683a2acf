from pathlib import Path

import matplotlib.pyplot as plt
import pytest

STYLE = Path(__file__).parents[2] / "paper_figs" / "paper.mplstyle"


@pytest.fixture
def ax():
    """An empty axis in the style of the paper, closed after the test."""
    with plt.style.context(STYLE):
        figure, axis = plt.subplots()
        yield axis
        figure.canvas.draw()
        plt.close(figure)
