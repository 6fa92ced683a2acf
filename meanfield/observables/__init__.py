"""Plain functions of a cloud x [n, d], with optional weights w [n] that sum to 1.

Each returns arrays of fixed shapes, so that it can be observed while integrating. The distance of
two tokens is the great-circle angle, in radians. Shapes are always checked; numbers are checked
where they are known, that is outside a traced program. An energy is an observable as it stands:
see `meanfield.energies`.
"""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._clusters import Clusters as Clusters, clusters as clusters, members as members
    from ._fluid import Fluid as Fluid, fluid as fluid
    from ._hemisphere import Hemisphere as Hemisphere, hemisphere as hemisphere
    from ._hitting import hitting_time as hitting_time
    from ._linkage import merge_heights as merge_heights
    from ._moments import (
        alignment as alignment,
        degree_moment as degree_moment,
        effective_rank as effective_rank,
        mean_resultant as mean_resultant,
        second_moment as second_moment,
    )
    from ._pairs import (
        inner_product_histogram as inner_product_histogram,
        inner_products as inner_products,
        min_inner_product as min_inner_product,
    )
    from ._renyi import (
        captured_share as captured_share,
        renyi_centres as renyi_centres,
        strong_renyi_centres as strong_renyi_centres,
    )
    from ._rotations import rotations as rotations
    from ._state import state as state
    from .aggregators import (
        CoarseChain as CoarseChain,
        abstraction_error as abstraction_error,
        coarse_chain as coarse_chain,
        effective_information as effective_information,
    )
    from .laws import (
        DimensionEstimate as DimensionEstimate,
        EntropyEstimate as EntropyEstimate,
        entropy_knn as entropy_knn,
        entropy_spacings as entropy_spacings,
        gaussian_information as gaussian_information,
        intrinsic_dimension as intrinsic_dimension,
        log_cap_measure as log_cap_measure,
        smoothed_entropy as smoothed_entropy,
    )

__getattr__, __dir__ = offers(__name__)
