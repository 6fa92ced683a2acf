"""Named experiments that yield arrays and claims; one file a study (see `_base.py`)."""

from ._base import Study as Study, available as available
from ._claim import Claim as Claim
from ._repeat import repeat as repeat
