"""Hidden states of a text over the layers of a model, and the doors by which they come in."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._corpus import (
        Corpus as Corpus,
        check_corpus as check_corpus,
        check_parts as check_parts,
        sinks_of as sinks_of,
        without_sinks as without_sinks,
    )
    from ._example import example as example
    from ._files import load as load
    from ._paths import paths as paths
    from ._recording import Recording as Recording
    from ._sources import (
        from_arrays as from_arrays,
        from_transformer_lens as from_transformer_lens,
        from_transformers as from_transformers,
    )

__getattr__, __dir__ = offers(__name__)
