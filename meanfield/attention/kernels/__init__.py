"""The field that a cloud causes at a point: softmax and its kin, heads, and schedules over depth."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._base import (
        AbstractAttention as AbstractAttention,
        AbstractDensityAttention as AbstractDensityAttention,
    )
    from ._columns import causal_columns as causal_columns
    from ._distance import L2 as L2
    from ._exponential import (
        AbstractExponential as AbstractExponential,
        check_isotropic as check_isotropic,
    )
    from ._gained import Gained as Gained
    from ._hardmax import Hardmax as Hardmax
    from ._multi_head import MultiHead as MultiHead
    from ._pairwise import AbstractPairwise as AbstractPairwise
    from ._prefixes import Prefixes as Prefixes
    from ._relu import Relu as Relu
    from ._schedules import (
        AbstractSchedule as AbstractSchedule,
        Layers as Layers,
        Varying as Varying,
        at as at,
        attention_at as attention_at,
    )
    from ._sinkhorn import Sinkhorn as Sinkhorn
    from ._softmax import Softmax as Softmax
    from ._unnormalized import Unnormalized as Unnormalized

__getattr__, __dir__ = offers(__name__)
