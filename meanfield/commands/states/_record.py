"""`meanfield record`: the hidden states of texts, from weights to files."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from ...latents import Recording, Transformer, read
from .._arguments import called, parse
from .._finding import UsageError
from .._machine import prepare


@dataclass(frozen=True)
class _RecordOptions:
    weights: Path
    """A .gguf file of the architecture llama, or .safetensors beside its config.json."""
    text: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE ...")]
    """Files of text in UTF-8, each a recording."""
    out: Path = Path("recordings")
    """Folder for a file TEXT.nc of each text, which `meanfield look` and mf.latents.load read."""
    tokens: Annotated[int | None, called("N")] = None
    """Use the first tokens of each text, so many; by default all."""
    every: int = 1
    """Keep every so many layers, and the last; without states between attention and MLP unless 1."""
    half: tyro.conf.FlagCreatePairsOff[bool] = False
    """Keep 3 digits, in half the room."""
    note: Annotated[tuple[str, ...], called("NAME=VALUE ...")] = ()
    """What to add to the provenance, as name=value."""
    traceback: tyro.conf.FlagCreatePairsOff[bool] = False
    """Show where an error arose."""


def record(arguments: list[str]) -> int:
    """Records the hidden states of texts by a real transformer, a file each."""
    options = parse(_RecordOptions, "meanfield record", arguments)
    for name in ("tokens", "every"):
        count = getattr(options, name)
        if count is not None and count < 1:
            raise UsageError(f"expected --{name} of 1 or more, got {count}; leave it out")
    texts = {path: _text(path) for path in options.text}
    if not texts or len({path.stem for path in texts}) < len(texts):
        raise UsageError("expected files of text with different names, got others; rename them")
    notes = dict(_note(note) for note in options.note)
    prepare()
    model = read(options.weights)
    for path, text in texts.items():
        start = time.monotonic()
        recording = _reduced(_recorded(model, text, options.tokens, notes), options)
        target = options.out / f"{path.stem}.nc"
        recording.save(target)
        print(f"{recording} in {time.monotonic() - start:.1f} s: {target}")
    return 0


def _recorded(
    model: Transformer, text: str, tokens: int | None, notes: dict[str, str]
) -> Recording:
    ids = model.encode(text)[:tokens]
    recording = model.record(ids)
    own = {"text": model.tokenizer.decode(ids) if model.tokenizer else "", **notes}
    return dataclasses.replace(recording, provenance={**recording.provenance, **own})


def _reduced(recording: Recording, options: _RecordOptions) -> Recording:
    """The layers and digits that are kept."""
    if options.every > 1:
        last = int(recording.layers[-1])
        recording = recording.select(sorted({*range(0, last, options.every), last}))
    if not options.half:
        return recording
    with np.errstate(over="ignore"):  # infinite numbers are refused in a sentence
        parts: dict[str, Any] = {"states": recording.states.astype(np.float16)}
        if recording.mid is not None:
            parts["mid"] = recording.mid.astype(np.float16)
    return dataclasses.replace(recording, **parts)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "other bytes"
        remedy = "look at its name, or save it again as UTF-8"
        raise UsageError(
            f"expected a file of text in UTF-8, got {path} ({why}); {remedy}"
        ) from error
    if not text:
        raise UsageError(f"expected a file of text, got {path}, which is empty; leave it out")
    return text


def _note(note: str) -> tuple[str, str]:
    name, equals, value = note.partition("=")
    if not name or not equals:
        raise UsageError(f"expected a note name=value, got {note!r}; pass --note author=me")
    return name, value
