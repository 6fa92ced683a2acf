"""Functionals of a measure, and the gradients that they have in Wasserstein space."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._base import AbstractEnergy as AbstractEnergy, Scaled as Scaled, Sum as Sum
    from ._entropy import (
        Entropy as Entropy,
        fisher_information as fisher_information,
        free_energy as free_energy,
        relative_entropy as relative_entropy,
    )
    from ._interaction import Interaction as Interaction
    from ._internal import InternalEnergy as InternalEnergy
    from ._pairwise import Pairwise as Pairwise
    from ._potential import Potential as Potential
    from ._quantiles import (
        AbstractQuantiles as AbstractQuantiles,
        Circle as Circle,
        GradedLine as GradedLine,
        Line as Line,
    )
    from ._sinkformer import Sinkformer as Sinkformer, unscaled_sinkformer as unscaled_sinkformer
    from ._split_entropy import split_entropy as split_entropy, terms as terms

__getattr__, __dir__ = offers(__name__)
