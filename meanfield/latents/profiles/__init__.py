"""What is measured of recordings, layer by layer, with intervals over texts."""

from ._profile import profile as profile
