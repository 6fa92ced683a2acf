"""Engines that draw: a sample of keys, of features or of landmarks stands for all."""

from typing import TYPE_CHECKING

from ...._lazy import offers

if TYPE_CHECKING:
    from ._nystrom import Nystrom as Nystrom
    from ._random_batch import RandomBatch as RandomBatch
    from ._random_features import RandomFeatures as RandomFeatures

__getattr__, __dir__ = offers(__name__)
