"""How long clusters last before they merge."""

from ._metastability import Metastability as Metastability
from ._slow_merging import SlowMerging as SlowMerging
from ._staircase import Staircase as Staircase
