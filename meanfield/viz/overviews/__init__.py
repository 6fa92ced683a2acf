"""A picture of any labelled dataset, a panel for each of its variables."""

from ._overview import overview as overview
