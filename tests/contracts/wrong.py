"""Calls every public name with wrong arguments, as users run it: without the tests' type checker.

    python tests/contracts/wrong.py [--twelfth] ROOM ...

tries every one, or of each parameter a twelfth, not the same ones of all parameters, and
prints a line of JSON: how many names and calls, and what was neither refused as it should be nor
right. It runs as a process of its own, because the hook that checks annotations cannot be undone.
"""

import inspect
import json
import re
import sys
import time
import traceback
import warnings
import zlib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
LONGEST = 400
NUMBERS = {"NaN", "infinity", "integers", "a negative weight", "sum 2", "zeros"}
SENTENCE = re.compile(r"expected .+?[;:,] .+\.$", re.DOTALL)
# What a sentence tells the caller to pass, and what it says it did not expect.
NAMED = re.compile(r"\b(?:pass|use|give|with|by|set|raise|lower|increase) ([a-z_0-9]+)=")


def main(rooms: list[str], every: int = 1) -> dict:
    """The failures of these rooms, with how many names and calls there were."""
    import catalogue
    import small_programs
    from catalogue import kinds

    small_programs.compute_small_programs()
    entries = catalogue.entries(rooms)
    known = {name for entry in entries for name in _parameters_of(entry)}
    calls, failures, spent = 0, [], {}
    for entry in entries:
        start = time.process_time()
        for parameter, valid in entry.arguments.items():
            kind = entry.kind(parameter)
            if kind is None:
                continue
            turn = zlib.crc32(f"{entry.name} {parameter}".encode())
            for k, (label, value) in enumerate(kinds.wrong(kind, valid), start=turn):
                if k % every:
                    continue
                if label == "None" and entry.optional(parameter):
                    continue
                if (parameter, label) in entry.fine or (entry.light and label not in NUMBERS):
                    continue
                # What a function returns is not known where an object is made of it.
                if entry.makes and label == "a function of text":
                    continue
                calls += 1
                why = verdict(entry, parameter, label, value, known)
                if why:
                    failures.append([entry.name, parameter, label, why])
        spent[entry.name] = round(time.process_time() - start, 2)
    return {"names": len(entries), "calls": calls, "failures": failures, "spent": spent}


def _parameters_of(entry) -> set[str]:
    """What the caller of an entry could have passed, here or where the object was made."""
    names = set(inspect.signature(entry.call).parameters) | set(entry.args)
    owner = getattr(entry.call, "__self__", None)
    return names | (set(inspect.signature(type(owner)).parameters) if owner is not None else set())


def verdict(entry, parameter: str, label: str, value, known: set[str]) -> str:
    """What is wrong with how a wrong argument is answered; empty if nothing."""
    try:
        result = jax.block_until_ready(entry.call(**{**entry.arguments, parameter: value}))
    except Exception as error:
        return complaint(error, entry, known)
    if label == "integers":
        return _as_floats(entry, parameter, value, result)
    if label in ("NaN", "infinity") and not entry.makes and _not_finite(result):
        return ""
    return f"taken: {_short(result)}"


def _as_floats(entry, parameter: str, value, result) -> str:
    right = entry.call(**{**entry.arguments, parameter: value.astype(float)})
    return "" if _same(result, right) else f"integers are not taken as numbers: {_short(result)}"


def _leaves(result) -> list[np.ndarray]:
    leaves = [leaf for leaf in jax.tree.leaves(result) if isinstance(leaf, jax.Array | np.ndarray)]
    return [np.asarray(leaf) for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def _not_finite(result) -> bool:
    return any(not np.isfinite(leaf).all() for leaf in _leaves(result))


def _same(one, other) -> bool:
    pairs = zip(_leaves(one), _leaves(other), strict=False)
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-6, equal_nan=True) for a, b in pairs
    )


def _short(result) -> str:
    return " ".join(repr(result).split())[:80]


def complaint(error: Exception, entry, known: set[str]) -> str:
    """What is wrong with an error; empty if it is a refusal of one sentence with a remedy."""
    message, kind = str(error), type(error).__name__
    head = f"{kind}: {' '.join(message.split())[:120]}"
    if not isinstance(error, ValueError | TypeError):
        return head
    frame = traceback.extract_tb(error.__traceback__)[-1].filename
    if Path(frame).resolve().parent.parent.name != "meanfield" and "/meanfield/" not in frame:
        return f"from {Path(frame).name}, {head}"
    if not SENTENCE.match(message) or "\n" in message or len(message) > LONGEST:
        return f"no sentence with a remedy, {head}"
    strange = {name for name in NAMED.findall(message) if name in known} - _parameters_of(entry)
    return f"names {sorted(strange)}, which the caller does not have, {head}" if strange else ""


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")
    some = "--twelfth" in sys.argv
    chosen = [argument for argument in sys.argv[1:] if argument != "--twelfth"]
    print(json.dumps(main(chosen, every=12 if some else 1)))
