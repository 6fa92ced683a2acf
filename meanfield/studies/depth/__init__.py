"""What normalization and weights make of depth."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._attention_normalizations import AttentionNormalizations as AttentionNormalizations
    from ._depth import Depth as Depth
    from ._normalization import Normalization as Normalization
    from ._random_transformer import RandomTransformer as RandomTransformer
    from ._sinkformer_kernels import SinkformerKernels as SinkformerKernels

__getattr__, __dir__ = offers(__name__)
