import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import numpy as np

from ...solve import SolveError


def program_of_runs(function: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """`function` compiled: it returns results and whether its runs went well, `run.ok`; this, results alone.

    A SolveError where one did not. Within a program, `simulate` and `rollout` raise by a call of the host,
    and jax keeps no program on the disk that makes one: `throw=False` there.
    """
    compiled = eqx.filter_jit(function)

    @functools.wraps(function)
    def results(*args: Any) -> Any:
        found, ok = compiled(*args)
        failed = np.size(ok) - np.count_nonzero(ok)
        if failed:
            raise SolveError(
                f"{failed} of {np.size(ok)} runs failed; run simulate by itself to see why."
            )
        return found

    return results
