"""The vectorized NumPy of the papers' scripts: the whole matrix of weights, and Euler steps."""

import numpy as np

from .._contest import Work


def field(x: np.ndarray, beta: float) -> np.ndarray:
    """Softmax self-attention of tokens x [..., n, d], as arXiv 2312.10794 writes it."""
    weights = np.exp(beta * x @ np.swapaxes(x, -1, -2))
    return (weights / weights.sum(-1, keepdims=True)) @ x


def attention(x, beta: float) -> Work:
    """The field, in the dtype of x."""
    x = np.array(x)
    return lambda: field(x, beta)


def euler(x, beta: float, step: float, steps: int) -> Work:
    """Projected Euler steps with renormalization, as in the published codes."""
    x0 = np.array(x, dtype=np.float64)

    def run():
        x = x0
        for _ in range(steps):
            pull = field(x, beta)
            pull = pull - np.sum(pull * x, axis=-1, keepdims=True) * x
            x = x + step * pull
            x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        return x

    return run
