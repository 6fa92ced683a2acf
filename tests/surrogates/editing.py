"""Examples with some places changed."""

import json

from meanfield import surrogates
from meanfield.surrogates._surrogate import DATA
from meanfield.surrogates.documents import read


def edited(tmp_path, name: str, **changes):
    """An example with some places changed, by their path with __ for dots."""
    content = read(DATA / f"{name}.yaml")
    for place, value in changes.items():
        *parents, last = (int(k) if k.isdigit() else k for k in place.split("__"))
        inner = content
        for key in parents:
            inner = inner[key]
        inner[last] = value
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(content))
    return surrogates.load(path)
