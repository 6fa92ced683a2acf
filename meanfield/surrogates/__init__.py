"""Equation-first models of models: equations as data that is checked, run, fitted and reported."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._loading import (
        compare as compare,
        examples as examples,
        from_petab as from_petab,
        from_sbml as from_sbml,
        load as load,
        schema as schema,
    )
    from ._surrogate import Surrogate as Surrogate

__getattr__, __dir__ = offers(__name__)
