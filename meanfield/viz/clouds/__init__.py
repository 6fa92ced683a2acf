"""Tokens and densities on circles and spheres, by mass, and who joined whom."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._bundles import together as together
    from ._circle import (
        circle_points as circle_points,
        circle_tracks as circle_tracks,
        density_circle as density_circle,
    )
    from ._facing import facing as facing
    from ._masses import (
        NEAR as NEAR,
        Discs as Discs,
        circle_masses as circle_masses,
        mass_key as mass_key,
        sphere_masses as sphere_masses,
    )
    from ._merge_tree import Branches as Branches, merge_tree as merge_tree
    from ._mollweide import mollweide as mollweide
    from ._sphere import sphere_points as sphere_points, sphere_tracks as sphere_tracks
    from ._sphere_map import sphere_map as sphere_map
    from ._tree import among as among, events_of as events_of, tree as tree

__getattr__, __dir__ = offers(__name__)
