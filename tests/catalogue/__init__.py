"""Every public name of every room, with one valid call: a line here buys every contract.

`entries(rooms)` are the calls; `MADE_BY` says which of them returns an object that users do not
make. A public name that is missing fails tests/contracts/test_catalogue.py.
"""

import importlib
from collections.abc import Iterable

from catalogue.entry import Entry as Entry
from catalogue.made import MADE_BY as MADE_BY

FILE_OF = {
    "geometry": "geometry",
    "harmonics": "geometry",
    "measures": "measures",
    "energies": "measures",
    "observables": "measures",
    "transport": "transport",
    "attention": "attention",
    "dynamics": "dynamics",
    "schemes": "verbs",
    "solve": "verbs",
    "landscape": "landscape",
    "games": "games",
    "latents": "latents",
    "surrogates": "surrogates",
    "viz": "outside",
    "io": "outside",
    "studies": "outside",
}
ROOMS = tuple(FILE_OF)


def entries(rooms: Iterable[str] = ROOMS) -> list[Entry]:
    """The entries of these rooms; only their files are imported, which compile a little."""
    files = dict.fromkeys(FILE_OF[room] for room in rooms)
    modules = [importlib.import_module(f"catalogue.{file}") for file in files]
    return [entry for module in modules for entry in module.ENTRIES if entry.room in rooms]
