"""The vectorized NumPy of the papers' scripts: the whole matrix of weights, and Euler steps."""

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
    """Projected Euler steps with renormalization, as in the published codes, in the dtype of x."""
    x0 = np.array(x)

    def run():
        x = x0
        for _ in range(steps):
            pull = field(x, beta)
            pull = pull - np.sum(pull * x, axis=-1, keepdims=True) * x
            x = x + step * pull
            x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        return x

    return run
