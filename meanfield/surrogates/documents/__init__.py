"""What a document may say, and how it is read."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._conditions import SECTIONS as SECTIONS
    from ._consistent import check_consistent as check_consistent
    from ._modeling import (
        LONGEST as LONGEST,
        Boundary as Boundary,
        Domain as Domain,
        Equation as Equation,
        Event as Event,
        Independent as Independent,
        Measurement as Measurement,
        Variable as Variable,
        defined_by as defined_by,
    )
    from ._read import (
        DocumentError as DocumentError,
        digest as digest,
        parse as parse,
        path_of as path_of,
        read as read,
        refusal as refusal,
        schema as schema,
    )
    from ._sections import (
        VERSION as VERSION,
        Counterfactual as Counterfactual,
        Document as Document,
        Sensitivity as Sensitivity,
        Unknown as Unknown,
    )

__getattr__, __dir__ = offers(__name__)
