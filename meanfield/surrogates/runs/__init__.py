"""A document made ready to run, its units, and its runs."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._fields import centres as centres
    from ._flow import rates as rates, surroundings as surroundings
    from ._model import Model as Model, build as build
    from ._run import (
        Run as Run,
        arguments as arguments,
        evaluate as evaluate,
        solve as solve,
        start_of as start_of,
        times as times,
    )
    from ._scales import jumping as jumping
    from ._simulated import Simulated as Simulated, simulated as simulated
    from ._tables import Tabulated as Tabulated
    from ._units import (
        problems_of as problems_of,
        problems_of_fields as problems_of_fields,
        units_of as units_of,
    )

__getattr__, __dir__ = offers(__name__)
