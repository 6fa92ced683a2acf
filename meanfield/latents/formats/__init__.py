"""Files of tensors by others, whose headers are not trusted: sizes are checked before memory is taken."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._gguf import Stored as Stored, read_gguf as read_gguf
    from ._quantized import numbers_of as numbers_of
    from ._safetensors import (
        read_safetensors as read_safetensors,
        write_safetensors as write_safetensors,
    )

__getattr__, __dir__ = offers(__name__)
