"""Gaussian clouds and their closures."""

from ._covariances import Covariances as Covariances
from ._gaussian_closures import GaussianClosures as GaussianClosures
