"""Checks that a dynamics is made of the right kinds of object."""

from typing import Any

from .._checks import check_callable, check_instance
from ..attention import AbstractAttention, AbstractSchedule
from ..geometry import AbstractGeometry


def check_geometry(value: Any) -> None:
    """ValueError unless it is a geometry."""
    remedy = "pass Sphere(3) or Euclidean(3), for instance"
    check_instance(value, AbstractGeometry, "a geometry first", remedy)


def check_attention(value: Any) -> None:
    """ValueError unless it is an attention or a schedule of them."""
    if not isinstance(value, AbstractSchedule):
        check_instance(value, AbstractAttention, "an attention", "pass Softmax(1.0), for instance")


def check_function(value: Any, name: str) -> None:
    """ValueError unless it is a function, or an object that can be called as one."""
    check_callable(value, name, "pass a callable")


def check_optional_function(value: Any, name: str) -> None:
    """ValueError unless it is None or a function."""
    if value is not None:
        check_function(value, name)
