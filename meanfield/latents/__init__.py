"""Real transformers: hidden states recorded, from arrays or from weights that are read here."""

from .profiles import profile as profile
from .recordings import (
    Recording as Recording,
    from_arrays as from_arrays,
    from_transformer_lens as from_transformer_lens,
    from_transformers as from_transformers,
    load as load,
)
