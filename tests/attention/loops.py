"""Attention written as sums over one pair at a time, in plain numpy: what the package is held against."""

import numpy as np


def logits(attention, x, y) -> np.ndarray:
    """beta <Q x_i, K y_j> + mask_ij."""
    x, y = np.asarray(x), np.asarray(y)
    query = np.eye(x.shape[1]) if attention.query is None else np.asarray(attention.query)
    key = np.eye(x.shape[1]) if attention.key is None else np.asarray(attention.key)
    bias = np.zeros((len(x), len(y))) if attention.mask is None else np.asarray(attention.mask)
    out = np.empty((len(x), len(y)))
    for i in range(len(x)):
        for j in range(len(y)):
            out[i, j] = float(attention.beta) * (query @ x[i]) @ (key @ y[j]) + bias[i, j]
    return out


def moments(attention, x, y, w) -> tuple[np.ndarray, np.ndarray]:
    """sum_j w_j e^{l_ij} and sum_j w_j e^{l_ij} V y_j."""
    y = np.asarray(y)
    w = np.full(len(y), 1 / len(y)) if w is None else np.asarray(w)
    value = np.eye(y.shape[1]) if attention.value is None else np.asarray(attention.value)
    weights = np.exp(logits(attention, x, y))
    mass, moment = np.zeros(len(x)), np.zeros((len(x), len(value)))
    for i in range(len(x)):
        for j in range(len(y)):
            mass[i] += w[j] * weights[i, j]
            moment[i] += w[j] * weights[i, j] * (value @ y[j])
    return mass, moment


def softmax(attention, x, y, w) -> np.ndarray:
    """The weighted average of the values."""
    mass, moment = moments(attention, x, y, w)
    return moment / mass[:, None]


def unnormalized(attention, x, y, w) -> np.ndarray:
    """The weighted sum of the values, times e^{-offset}."""
    return moments(attention, x, y, w)[1] * np.exp(-float(attention.offset))
