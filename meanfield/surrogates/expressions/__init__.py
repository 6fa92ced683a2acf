"""Expressions: read, held against units, computed."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._parse import (
        DERIVATIVE as DERIVATIVE,
        Expr as Expr,
        ExpressionError as ExpressionError,
        Relation as Relation,
        read_expression as read_expression,
        read_relation as read_relation,
    )
    from ._units import (
        PLAIN as PLAIN,
        Unit as Unit,
        check_same as check_same,
        read_unit as read_unit,
        unit_of as unit_of,
    )
    from ._value import value_of as value_of

__getattr__, __dir__ = offers(__name__)
