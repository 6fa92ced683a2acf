"""What a cloud tells of the law that its tokens are drawn from: entropies, dimension, information."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._caps import log_cap_measure as log_cap_measure
    from ._dimension import (
        DimensionEstimate as DimensionEstimate,
        intrinsic_dimension as intrinsic_dimension,
    )
    from ._entropy import (
        EntropyEstimate as EntropyEstimate,
        entropy_knn as entropy_knn,
        entropy_spacings as entropy_spacings,
    )
    from ._information import gaussian_information as gaussian_information
    from ._smoothed_entropy import smoothed_entropy as smoothed_entropy

__getattr__, __dir__ = offers(__name__)
