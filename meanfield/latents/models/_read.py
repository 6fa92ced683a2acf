import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..._checks import check_choice, shown
from ..formats import read_safetensors
from ._bert import bert_parts
from ._gpt2 import gpt2_parts
from ._llama import read_llama
from ._masked import masked_parts
from ._sizes import Facts, Weights
from ._texts import words_of_json
from ._transformer import Transformer

_FAMILIES = {"gpt2": gpt2_parts, "bert": bert_parts, "masked_characters": masked_parts}
_LONGEST_JSON = 64 * 2**20


def read(path: str | Path) -> Transformer:
    """A real transformer from a file of weights, in float32.

    - a `.gguf` file of the architecture llama (SmolLM2, TinyLlama, Llama 2, ...), quantized or not;
    - a `.safetensors` file beside its `config.json`, or the folder of both, of GPT-2 (before layers,
      `model_type` gpt2), an encoder like BERT (`bert`: recorded only), or of the small models that are
      trained here (`masked_characters`).

    A tokenizer comes from the GGUF file, or from `tokenizer.json` beside the weights. Files are not
    trusted: headers are checked against the size of the file before memory is taken, nothing in them
    is executed, and no file is fetched. Quantized weights and tokenizers need the extra
    `meanfield-jax[latents]`.

    Raises ValueError for another architecture, by its name, tensors that are absent or of the wrong
    shape, weights that are not finite or do not fit in memory, and damaged files.
    """
    path = _weights_of(path)
    source = (("weights", path.name), ("weights_sha256", _digest(path)))
    if path.suffix == ".gguf":
        return read_llama(path, source)
    config = _json(path.with_name("config.json"))
    facts = Facts(config, "config.json")
    kind = facts.choice("model_type", tuple(_FAMILIES))
    tensors = read_safetensors(path)
    weights = Weights(
        {name: tensor.shape for name, tensor in tensors.items()},
        lambda name: _finite(tensors[name], name),
        path.name,
    )
    words = path.with_name("tokenizer.json")
    parts: dict[str, Any] = {"tokenizer": words_of_json(_text(words)) if words.is_file() else None}
    return Transformer(
        **(parts | _FAMILIES[kind](facts, weights)),
        name=_name(config, path),
        source=source,
    )


def _weights_of(path: Any) -> Path:
    if not isinstance(path, str | Path):
        raise ValueError(f"expected a path, got {shown(path)}; pass the name of a file.")
    path = Path(path)
    path = path / "model.safetensors" if path.is_dir() else path
    check_choice(path.suffix, (".gguf", ".safetensors"), f"the ending of {path.name}")
    if not path.is_file():
        raise ValueError(
            f"expected a file of weights, got {path}, which is none; look at its name."
        )
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(config: dict[str, Any], path: Path) -> str:
    name = config.get("_name_or_path")
    return name if isinstance(name, str) and name else path.resolve().parent.name


def _finite(tensor: np.ndarray, name: str) -> np.ndarray:
    if not np.issubdtype(tensor.dtype, np.floating) and tensor.dtype.name != "bfloat16":
        raise ValueError(
            f"expected floating-point weights, got {tensor.dtype} in {name}; fetch them again."
        )
    values = tensor.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(
            f"expected finite weights, got NaN or infinity in {name}; fetch the file again."
        )
    return values


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LONGEST_JSON:
            raise ValueError("too long")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"expected {path.name} beside the weights, got none that can be read ({error}); put it there."
        ) from error


def _json(path: Path) -> dict[str, Any]:
    content = _text(path)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"expected JSON in {path.name}, got something else; fetch it again."
        ) from error
    if not isinstance(value, dict):
        raise ValueError(f"expected a table in {path.name}, got something else; fetch it again.")
    return value
