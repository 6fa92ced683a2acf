"""What a study is: fields, cells, claims, repetition, and sharing among processes."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ..._intervals import Z95 as Z95, wilson as wilson
    from ._attentions import attention_named as attention_named
    from ._available import available as available, study_of as study_of
    from ._cells import grid as grid
    from ._cellwise import AbstractCellwiseStudy as AbstractCellwiseStudy
    from ._checkpoints import (
        AbstractCheckpointStudy as AbstractCheckpointStudy,
        AbstractDiagramStudy as AbstractDiagramStudy,
    )
    from ._claim import TELLING as TELLING, Claim as Claim
    from ._clouds import (
        disjoint_products as disjoint_products,
        uniform_starts as uniform_starts,
        within_span as within_span,
    )
    from ._field_checks import (
        check_share as check_share,
        check_that as check_that,
        some_of as some_of,
    )
    from ._fits import order_of as order_of
    from ._program_of_runs import program_of_runs as program_of_runs
    from ._repeat import repeat as repeat
    from ._study import Study as Study

__getattr__, __dir__ = offers(__name__)
