"""Drawing primitives: each takes an `ax` and host or device arrays, draws, and returns its artists.

Colours and line styles are those of the current matplotlib style: `paper_figs/paper.mplstyle` is
readable with any colour vision and in grey. Nothing here computes: a picture shows what it is given.
"""

from ._axes import angle_ticks as angle_ticks, beyond as beyond
from ._circle import (
    circle_points as circle_points,
    circle_tracks as circle_tracks,
    density_circle as density_circle,
)
from ._convergence import Fit as Fit, convergence as convergence
from ._facing import facing as facing
from ._film import film as film
from ._lines import band as band, histogram_ridge as histogram_ridge, staircase as staircase
from ._maps import overlay_curve as overlay_curve, phase_map as phase_map
from ._masses import (
    Discs as Discs,
    circle_masses as circle_masses,
    mass_key as mass_key,
    sphere_masses as sphere_masses,
)
from ._merge_tree import Branches as Branches, merge_tree as merge_tree
from ._mollweide import mollweide as mollweide
from ._overview import overview as overview
from ._page import Page as Page, page as page
from ._panels import small_multiples as small_multiples
from ._sphere import sphere_points as sphere_points, sphere_tracks as sphere_tracks
from ._sphere_map import sphere_map as sphere_map
