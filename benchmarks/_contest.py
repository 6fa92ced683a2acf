"""What is timed: contenders that do the same work, and how wrong each is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata, util
from typing import Any

import jax
import numpy as np

Work = Callable[[], Any]
"""The function that is timed: it returns once its result is there."""

Limit = tuple[float | None, float | None]
"""The least and the most of something, None where there is no such limit."""


class Missing(Exception):
    """A peer that is not installed here."""


@dataclass(frozen=True)
class Contest:
    """The same work done by several contenders; the first is ours, and ratios are against it.

    - `contenders`: a name, and a function that makes ready what is timed.
    - `error`: how wrong the result of a contender is; `error_is` says in what sense.
    - `facts`: the sizes and parameters, seed and dtype.
    - `work`: exponentials and floating-point operations of matrix products ("flops") that the first
      contender must do at least, for its shares of what this machine can do; or a function of its
      result. `no_bound` says why there is none.
    - `targets`: the least ratio of the time of a contender to that of the first.
    - `limits`: least and most of a quantity of the first contender that `_targets.py` knows.
    - `counts`: numbers read from the result of a contender, such as iterations.
    - `headline`: its line in the README's table of a few; contests that share one share a line.
    - `fraction`: the share of a larger work that is timed: tables tell the time of the whole too.
    - `sweep`: the variable and its value, where contests of one name differ by it and an exponent is
      fitted: of the time or, if `swept` names one, of a count.
    - `growth`: how much larger the problem of the second of two contenders is: instead of a ratio an
      exponent is told, with the interval of its mean, and rounds go on until that is under .05.
    - `repeats`: rounds, in each of which every contender is timed once.
    - `memory`: the contenders whose peak is measured, each in a process of its own.
    """

    name: str
    contenders: Mapping[str, Callable[[], Work]]
    error: Callable[[Any], float] | None = None
    error_is: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    work: Mapping[str, float] | Callable[[Any], Mapping[str, float]] = field(default_factory=dict)
    no_bound: str = ""
    targets: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    counts: Callable[[Any], Mapping[str, float]] | None = None
    headline: str = ""
    fraction: float = 1.0
    sweep: tuple[str, float] | None = None
    swept: str = ""
    growth: float = 0.0
    repeats: int = 7
    memory: tuple[str, ...] = ()


def compiled(function: Callable, *arguments: Any) -> Work:
    """`function` compiled for these arguments by jax, as something to time."""
    program = jax.jit(function).lower(*arguments).compile()
    return lambda: jax.block_until_ready(program(*arguments))


def called(function: Callable, *arguments: Any) -> Work:
    """`function` jitted and called once, as users do: for work of less than a millisecond, since programs
    of `compiled` that may raise an error are called through Python, which takes a tenth of one."""
    program = jax.jit(function)
    jax.block_until_ready(program(*arguments))
    return lambda: jax.block_until_ready(program(*arguments))


def need(module: str, package: str | None = None) -> str:
    """The version of an installed module; raises Missing where it is not there."""
    if util.find_spec(module) is None:
        raise Missing(f"{package or module} is not installed; pip install 'meanfield-jax[bench]'")
    try:
        return metadata.version(package or module)
    except metadata.PackageNotFoundError:
        return "unknown"


def relative_error(result: Any, exact: Any) -> float:
    """The largest distance of a row to the exact one, over the largest exact row."""
    result, exact = np.asarray(result, float), np.asarray(exact, float)
    size = np.linalg.norm(np.atleast_2d(exact), axis=-1).max()
    return float(np.linalg.norm(np.atleast_2d(result - exact), axis=-1).max() / size)


def stopwatch(work: Work) -> tuple[float, Any]:
    """Seconds that it took, and what came out."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
