"""What is measured of recordings, layer by layer, with intervals over texts."""

from ._bootstrap import draws as draws
from ._profile import profile as profile
