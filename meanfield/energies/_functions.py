from typing import Any

from .._checks import shown
from ..attention.kernels import AbstractAttention


def check_function(function: Any, name: str, example: str) -> None:
    """ValueError for what can be called on points and is no function of them: attentions, energies."""
    if isinstance(function, AbstractAttention) or hasattr(function, "on_quantiles"):
        raise ValueError(
            f"expected a function for {name}, got {shown(function)}; pass {example}, for instance."
        )
