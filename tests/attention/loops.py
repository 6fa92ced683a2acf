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
            q, k = (
                placed(attention, query @ x[i], i, "query_bias"),
                placed(attention, key @ y[j], j, "key_bias"),
            )
            out[i, j] = float(attention.beta) * q @ k + bias[i, j]
    return out


def placed(attention, point, place, name) -> np.ndarray:
    """A query or key with its bias, and with its pairs, as complex numbers, turned by their angles."""
    bias, rotary = getattr(attention, name, None), getattr(attention, "rotary", None)
    point = point if bias is None else point + np.asarray(bias)
    if rotary is None:
        return point
    p = len(point)
    turns = np.exp(1j * place * np.power(rotary.base, -2 * np.arange(p // 2) / p))
    first, second = (
        (slice(0, p, 2), slice(1, p, 2))
        if rotary.interleaved
        else (slice(p // 2), slice(p // 2, p))
    )
    turned, out = (point[first] + 1j * point[second]) * turns, np.empty(p)
    out[first], out[second] = turned.real, turned.imag
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
