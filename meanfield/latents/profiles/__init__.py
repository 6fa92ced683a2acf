"""What is measured of recordings, layer by layer, with intervals over texts."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._bootstrap import (
        draws as draws,
        interval as interval,
        with_intervals as with_intervals,
    )
    from ._lens import lens as lens
    from ._marginals import marginals as marginals
    from ._profile import profile as profile, sweep as sweep

__getattr__, __dir__ = offers(__name__)
