"""What a computation is, and by which code: the attributes by which files tell."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from .._door import door
from ._json import digest, plain
from ._provenance import provenance

_PREFIX = "provenance_"
_OWN = ("key", "identity", "seed", "cell")
_CODE = ("code", "software")
"""Entries of an identity that say by which code, and not what, is computed."""


def work_key(identity: Mapping[str, Any]) -> str:
    """The hash of what is computed, whatever the code: it owns a folder."""
    return digest({name: value for name, value in identity.items() if name not in _CODE})


@door
def stamp(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes by which a dataset tells what it is and how it was computed."""
    own: dict[str, Any] = {"key": work_key(identity), "identity": json.dumps(plain(identity))}
    fields = identity.get("fields")
    if isinstance(fields, dict) and isinstance(fields.get("seed"), int):
        # netCDF has no larger integers.
        seed = fields["seed"]
        own["seed"] = seed if abs(seed) < 2**63 else str(seed)
    return own | {_PREFIX + name: value for name, value in provenance().items()}


@door
def strip(data: xr.Dataset) -> xr.Dataset:
    """`data` without the attributes that a store added."""
    bare = data.copy()
    bare.attrs = {
        name: value
        for name, value in data.attrs.items()
        if name not in _OWN and not str(name).startswith(_PREFIX)
    }
    return bare


def identity_of(data: xr.Dataset) -> dict[str, Any]:
    """The identity that is stamped on `data`; empty if none is."""
    return json.loads(data.attrs.get("identity", "{}"))


def blend(identity: dict[str, Any], parts: Iterable[xr.Dataset]) -> dict[str, Any]:
    """The identity of what is assembled from `parts`: by every code among theirs, `identity`'s for
    those that tell none."""
    each = [_code_of(identity_of(part) or identity) for part in parts]
    names = dict.fromkeys(name for one in each for name in one)
    every = {n: " and ".join(dict.fromkeys(one.get(n, "none") for one in each)) for n in names}
    code = {"code": every.pop("code")} if "code" in every else {}
    rest = {name: value for name, value in identity.items() if name not in _CODE}
    return rest | code | ({"software": every} if every else {})


def described_code(identity: Mapping[str, Any]) -> str:
    """By which code, in words."""
    return ", ".join(f"{name} {value}" for name, value in _code_of(identity).items())


def other_code(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """How the code of a stored result differs from the one that is wanted, in words; '' if not."""
    old, new = _code_of(stored), _code_of(wanted)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(
        f"{name} {old.get(name, 'none')[:40]} (now {new.get(name, 'none')[:40]})" for name in names
    )


def difference(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first level at which two identities differ in what is computed, in words."""
    for name in ("study", "version", "precision", "seeds", "fields"):
        old, new = stored.get(name), wanted.get(name)
        if digest(old) == digest(new):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            names = [k for k in {**old, **new} if digest(old.get(k)) != digest(new.get(k))]
            return ", ".join(f"{k} = {old.get(k)} (now {new.get(k)})" for k in names)
        return f"{name} {old} (now {new})"
    return "its identity differs"


def _code_of(identity: Mapping[str, Any]) -> dict[str, str]:
    """The code and the versions of an identity, by name."""
    software = identity.get("software")
    named = {"code": identity["code"]} if "code" in identity else {}
    named |= software if isinstance(software, dict) else {}
    return {str(name): str(value) for name, value in named.items()}
