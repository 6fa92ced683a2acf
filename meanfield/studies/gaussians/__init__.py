"""Gaussian clouds and their closures."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._covariances import Covariances as Covariances
    from ._gaussian_closures import GaussianClosures as GaussianClosures

__getattr__, __dir__ = offers(__name__)
