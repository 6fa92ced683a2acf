"""Real transformers held against the theory: layers as schemes, entropies, drifts, attention."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._attention_marginals import AttentionMarginals as AttentionMarginals
    from ._attention_relaxation import AttentionRelaxation as AttentionRelaxation
    from ._causal_characters import CausalCharacters as CausalCharacters
    from ._drift_by_layer import DriftByLayer as DriftByLayer
    from ._entropy_by_layer import EntropyByLayer as EntropyByLayer
    from ._ito_term import ItoTerm as ItoTerm
    from ._layer_thinness import LayerThinness as LayerThinness
    from ._lines_of_thought import LinesOfThought as LinesOfThought
    from ._real_layers import RealLayers as RealLayers
    from ._regimes import Regimes as Regimes
    from ._surprise_sign import SurpriseSign as SurpriseSign
    from ._trained_sinkformer import TrainedSinkformer as TrainedSinkformer

__getattr__, __dir__ = offers(__name__)
