"""Real transformers: hidden states recorded, from arrays or from weights that are read here."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from .fits import (
        AttentionPotential as AttentionPotential,
        Constant as Constant,
        DriftFit as DriftFit,
        Linear as Linear,
        Quadratic as Quadratic,
        Writes as Writes,
        fit_drift as fit_drift,
        fit_regimes as fit_regimes,
        lines_of_thought as lines_of_thought,
    )
    from .models import Transformer as Transformer, read as read
    from .profiles import lens as lens, marginals as marginals, profile as profile
    from .recordings import (
        Recording as Recording,
        example as example,
        from_arrays as from_arrays,
        from_transformer_lens as from_transformer_lens,
        from_transformers as from_transformers,
        load as load,
        paths as paths,
    )
    from .training import trained as trained

__getattr__, __dir__ = offers(__name__)
