"""How long a state is lingered in: passage and escape times, and their statistics."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._action import (
        MinimumAction as MinimumAction,
        action as action,
        minimum_action as minimum_action,
    )
    from ._alignment import alignment_blow_up as alignment_blow_up
    from ._attended_share import attended_share as attended_share
    from ._circle_committor import (
        CircleCommittor as CircleCommittor,
        committor_on_circle as committor_on_circle,
    )
    from ._escape_time import escape_time as escape_time
    from ._kramers import kramers_time as kramers_time
    from ._passage import committor as committor, passage_time as passage_time
    from ._random_pair import RandomPair as RandomPair
    from ._run_committor import RunCommittor as RunCommittor, committor_by_runs as committor_by_runs
    from ._survival import Survival as Survival, survival as survival

__getattr__, __dir__ = offers(__name__)
