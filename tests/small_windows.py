"""Numbers moved by NumPy as XLA moves them: slices, and windows that indices take and write."""

import numpy as np
from jax.lax import GatherScatterMode as Mode

BOUNDED = Mode.PROMISE_IN_BOUNDS, Mode.CLIP
"""Where a window that reaches out of the array is moved into it."""


def is_taken(params) -> bool:
    """Whether `gather` does what this step asks for."""
    return params["mode"] in BOUNDED and not params["dimension_numbers"].operand_batching_dims


def is_written(params, where) -> bool:
    """Whether `scatter` does: one window, so that none is written twice."""
    one = int(np.prod(where.shape[:-1])) == 1
    return one and not params["dimension_numbers"].operand_batching_dims


def is_widened(params) -> bool:
    """Whether `pad` does: nothing is cut off, and nothing put between."""
    return all(low >= 0 and high >= 0 and not gap for low, high, gap in params["padding_config"])


def broadcast_in_dim(x, *, shape, broadcast_dimensions, **_):
    wide = [1] * len(shape)
    for at, size in zip(broadcast_dimensions, x.shape, strict=True):
        wide[at] = size
    return np.broadcast_to(x.reshape(wide), shape)


def slice_(x, *, start_indices, limit_indices, strides):
    steps = strides or (1,) * x.ndim
    return x[tuple(map(slice, start_indices, limit_indices, steps))]


def dynamic_slice(x, *starts, slice_sizes):
    last = np.subtract(x.shape, slice_sizes)
    first = [min(max(int(k), 0), n) for k, n in zip(starts, last, strict=True)]
    return x[tuple(slice(k, k + size) for k, size in zip(first, slice_sizes, strict=True))]


def iota(*, dtype, shape, dimension, **_):
    line = np.arange(shape[dimension], dtype=dtype)
    return broadcast_in_dim(line, shape=shape, broadcast_dimensions=(dimension,))


def gather(x, where, *, dimension_numbers, slice_sizes, **_):
    dims, batch = dimension_numbers, where.shape[:-1]
    first = np.zeros((*batch, x.ndim), int)
    first[..., list(dims.start_index_map)] = where
    first = np.clip(first, 0, np.subtract(x.shape, slice_sizes))
    places = []
    for k, size in enumerate(slice_sizes):
        along = [1] * x.ndim
        along[k] = size
        start = first[..., k].reshape(batch + (1,) * x.ndim)
        places.append(start + np.arange(size).reshape(along))
    found = x[tuple(places)]
    gone = tuple(len(batch) + k for k in dims.collapsed_slice_dims)
    found = np.squeeze(found, axis=gone)
    return np.moveaxis(found, range(len(batch), found.ndim), dims.offset_dims)


def scatter(x, where, new, *, dimension_numbers, mode, add=None, **_):
    """x with one window written, or what `add` makes of it and the new numbers."""
    dims = dimension_numbers
    shape = [new.shape[k] for k in dims.update_window_dims]
    window = np.expand_dims(new.reshape(shape), tuple(dims.inserted_window_dims))
    first = np.zeros(x.ndim, int)
    first[list(dims.scatter_dims_to_operand_dims)] = where.ravel()
    last = np.subtract(x.shape, window.shape)
    if mode in BOUNDED:
        first = np.clip(first, 0, last)
    elif (first < 0).any() or (first > last).any():
        return x
    here = tuple(slice(k, k + size) for k, size in zip(first, window.shape, strict=True))
    out = np.array(x)
    out[here] = window if add is None else add(out[here], window)
    return out


def pad(x, value, *, padding_config):
    return np.pad(
        x, [(int(low), int(high)) for low, high, _ in padding_config], constant_values=value
    )
