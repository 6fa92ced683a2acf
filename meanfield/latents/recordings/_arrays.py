"""What arrays of hidden states must be."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..._checks import shown


def check_states(states: Any, name: str) -> np.ndarray:
    """`states` as a numpy array [layer, token, dim] of finite numbers, read a layer at a time."""
    states = as_numpy(states, name)
    if states.ndim != 3:
        raise ValueError(
            f"expected {name} of shape [layer, token, dim], got {list(states.shape)}; name the axes "
            "of an array in from_arrays."
        )
    if 0 in states.shape:
        raise ValueError(
            f"expected a layer, a token and a dimension in {name}, got shape {list(states.shape)}; "
            "leave no axis empty."
        )
    for number, layer in enumerate(states):
        if not np.isfinite(layer).all():
            raise ValueError(
                f"expected finite {name}, got NaN or infinity in entry {number}; record it in a "
                "wider type, or leave that layer out."
            )
    return states


def as_numpy(array: Any, name: str) -> np.ndarray:
    """An array of real floating-point numbers, whosever it is: of numpy, jax or torch."""
    if isinstance(array, type | bool | str):
        raise ValueError(f"expected an array for {name}, got {shown(array)}; pass hidden states.")
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        array = (array.float() if "bfloat16" in str(array.dtype) else array).numpy()
    try:
        found = array if isinstance(array, np.ndarray) else np.asarray(array)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected an array for {name}, got {shown(array)} that is none; pass hidden states."
        ) from error
    if not jnp.issubdtype(found.dtype, jnp.floating) or found.dtype.itemsize > 8:
        raise ValueError(
            f"expected real floating-point numbers in {name}, got {found.dtype}; cast with .astype."
        )
    return found


def check_labels(labels: Any, count: int, name: str, remedy: str) -> np.ndarray | None:
    """None, or one integer a row."""
    if labels is None:
        return None
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu().numpy()
    try:
        found = np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected integers for {name}, got {shown(labels)}; {remedy}.") from error
    if not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"expected integers for {name}, got {shown(labels)}; {remedy}.")
    if found.shape != (count,):
        raise ValueError(f"expected {name} of shape [{count}], got {list(found.shape)}; {remedy}.")
    return found.astype(np.int64)


def numbered(labels: Any, count: int, name: str) -> np.ndarray:
    """Increasing numbers of rows; 0, 1, ... where none are given."""
    found = check_labels(labels, count, name, f"leave out {name} to count from 0")
    if found is None:
        return np.arange(count)
    if (found < 0).any() or (np.diff(found) <= 0).any():
        raise ValueError(f"expected increasing {name} from 0 on, got others; sort them.")
    return found


def check_mid(mid: Any, states: np.ndarray, layers: np.ndarray) -> np.ndarray | None:
    """None, or the states in the middle of each layer, which follow each other."""
    if mid is None:
        return None
    mid = check_states(mid, "mid")
    count, *rest = states.shape
    if mid.shape != (count - 1, *rest):
        raise ValueError(
            f"expected mid of shape {[count - 1, *rest]}, got {list(mid.shape)}; pass the states "
            "after attention of each layer, one fewer than states."
        )
    if (np.diff(layers) != 1).any():
        raise ValueError(
            "expected consecutive layers for states in their middle, got others; leave out mid."
        )
    return mid


def check_name(model: Any) -> str:
    """The name of a model."""
    if not isinstance(model, str):
        raise ValueError(f"expected a name for model, got {shown(model)}; pass a string.")
    return model


def check_origin(provenance: Any) -> dict[str, str]:
    """Names and what is said of them; none by default."""
    if provenance is None:
        return {}
    if not isinstance(provenance, Mapping):
        raise ValueError(
            f"expected a dict for provenance, got {shown(provenance)}; pass names and strings."
        )
    return {str(name): str(value) for name, value in provenance.items()}
