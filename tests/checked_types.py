"""Types checked by beartype from the first call of a function on.

jaxtyping makes two functions to be checked of each that it guards: one of the arguments and one of all
and the result. To prepare those of the whole package takes longer than to import it, and most are never
called in one process; and what the first one has checked, the second need not check again.
"""

import functools
from typing import Any

from beartype import beartype


def when_called(function):
    """A function whose annotations are checked as by `beartype`, which sees it when it is first called."""
    if function.__annotations__.get("return", Any) is not Any:
        function.__annotations__ = {"return": function.__annotations__["return"]}
    checked = None

    @functools.wraps(function)
    def check(*args, **kwargs):
        nonlocal checked
        if checked is None:
            checked = beartype(function)
        return checked(*args, **kwargs)

    return check
