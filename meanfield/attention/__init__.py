"""The field that a weighted cloud causes at a point, and the engines that sum it."""

from ._approximate import AbstractApproximate as AbstractApproximate
from ._base import (
    AbstractAttention as AbstractAttention,
    AbstractDensityAttention as AbstractDensityAttention,
)
from ._blockwise import Blockwise as Blockwise
from ._dense import Dense as Dense
from ._doubly_stochastic import (
    doubly_stochastic_potential as doubly_stochastic_potential,
    smoothed as smoothed,
)
from ._engine import AbstractEngine as AbstractEngine
from ._exponential import (
    AbstractExponential as AbstractExponential,
    check_isotropic as check_isotropic,
)
from ._gaussian import AffineField as AffineField, GaussianAttention as GaussianAttention
from ._harmonic import Harmonic as Harmonic
from ._l2 import L2 as L2
from ._masks import (
    AbstractMask as AbstractMask,
    Additive as Additive,
    Alibi as Alibi,
    Causal as Causal,
    alibi as alibi,
    causal as causal,
)
from ._multihead import MultiHead as MultiHead
from ._nystrom import Nystrom as Nystrom
from ._pairwise import AbstractPairwise as AbstractPairwise
from ._problem import ExponentialSum as ExponentialSum
from ._profiles import exponential as exponential
from ._random_batch import RandomBatch as RandomBatch
from ._random_features import RandomFeatures as RandomFeatures
from ._relu import Relu as Relu
from ._schedules import (
    AbstractSchedule as AbstractSchedule,
    Layers as Layers,
    Varying as Varying,
    attention_at as attention_at,
)
from ._sharded import Sharded as Sharded
from ._sinkhorn import Sinkhorn as Sinkhorn
from ._softmax import Softmax as Softmax
from ._unnormalized import Unnormalized as Unnormalized
