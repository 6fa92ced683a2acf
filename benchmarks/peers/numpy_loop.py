"""The vectorized NumPy of the papers' scripts: the whole matrix of weights, and Euler steps."""

from collections.abc import Callable

import numpy as np

from .._contest import Work


def field(x: np.ndarray, beta: float) -> np.ndarray:
    """Softmax self-attention of tokens x [..., n, d], as arXiv 2312.10794 writes it."""
    weights = np.exp(beta * x @ np.swapaxes(x, -1, -2))
    return (weights / weights.sum(-1, keepdims=True)) @ x


def rows(x, beta: float, some: int) -> np.ndarray:
    """The field at the first `some` tokens, a few at a time, in float64: to measure errors by."""
    x = np.array(x, dtype=np.float64)
    parts = []
    for queries in np.array_split(x[:some], -(-some // 16)):
        logits = beta * queries @ x.T
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        parts.append((weights @ x) / weights.sum(-1, keepdims=True))
    return np.concatenate(parts)


def attention(x, beta: float) -> Work:
    """The field, in the dtype of x."""
    x = np.array(x)
    return lambda: field(x, beta)


def euler(x, beta: float, step: float, steps: int) -> Work:
    """Projected Euler steps with renormalization, in the dtype of x."""
    return watched(x, beta, step, steps, steps, lambda x: x, last=True)


def watched(
    x,
    beta: float,
    step: float,
    steps: int,
    every: int,
    look: Callable[[np.ndarray], np.ndarray],
    tangent: bool = True,
    last: bool = False,
) -> Work:
    """What is looked at before the first and after `every` so many steps of

        x <- N(x + h f(x)),

    the layers of the published codes, or of N(x + h P_x f(x)), Euler's of the flow, if `tangent`; or
    the last look alone.
    """
    x0 = np.array(x)

    def run():
        x, seen = x0, [] if last else [look(x0)]
        for done in range(1, steps + 1):
            pull = field(x, beta)
            if tangent:
                pull = pull - np.sum(pull * x, axis=-1, keepdims=True) * x
            x = x + step * pull
            x = x / np.linalg.norm(x, axis=-1, keepdims=True)
            if done % every == 0:
                seen.append(look(x))
        return seen[-1] if last else np.stack(seen)

    return run
