"""How the sums of an attention are computed, and how far an approximation may be off."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._approximate import AbstractApproximate as AbstractApproximate
    from ._base import AbstractEngine as AbstractEngine, Sums as Sums
    from ._blockwise import Blockwise as Blockwise
    from ._choice import chosen as chosen
    from ._dense import Dense as Dense
    from ._exponential_sum import (
        ExponentialSum as ExponentialSum,
        apply_matrix as apply_matrix,
        check_columns as check_columns,
        check_matrix as check_matrix,
        check_query_and_key as check_query_and_key,
        check_tokens as check_tokens,
        exponential_sum as exponential_sum,
    )
    from ._fused import Fused as Fused
    from ._guarded import Guarded as Guarded
    from ._harmonic import Harmonic as Harmonic
    from ._rounded import Rounded as Rounded
    from ._sharded import Sharded as Sharded
    from ._zonal_kernels import exponential as exponential, primitive as primitive
    from .sampled import (
        Nystrom as Nystrom,
        RandomBatch as RandomBatch,
        RandomFeatures as RandomFeatures,
    )

__getattr__, __dir__ = offers(__name__)
