"""Drawing primitives: each takes an `ax` and host or device arrays, draws, and returns its artists.

Colours and line styles are those of the current matplotlib style: `paper_figs/paper.mplstyle` is
readable with any colour vision and in grey. Nothing here computes: a picture shows what it is given.
"""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._axes import angle_ticks as angle_ticks, beyond as beyond
    from ._convergence import Fit as Fit, convergence as convergence
    from ._film import film as film
    from ._lines import band as band, histogram_ridge as histogram_ridge, staircase as staircase
    from ._maps import overlay_curve as overlay_curve, phase_map as phase_map
    from ._panels import small_multiples as small_multiples
    from .clouds import (
        Branches as Branches,
        Discs as Discs,
        circle_masses as circle_masses,
        circle_points as circle_points,
        circle_tracks as circle_tracks,
        density_circle as density_circle,
        facing as facing,
        mass_key as mass_key,
        merge_tree as merge_tree,
        mollweide as mollweide,
        sphere_map as sphere_map,
        sphere_masses as sphere_masses,
        sphere_points as sphere_points,
        sphere_tracks as sphere_tracks,
    )
    from .overviews import overview as overview
    from .pages import Page as Page, page as page

__getattr__, __dir__ = offers(__name__)
