"""What a command is made of: how it ends, its arguments, what it finds, shows and computes on.

For commands such as `python -m paper_figs`. Names are imported when first used: `become_program` is
called before the imports that take seconds.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._cli import become_program as become_program, complain as complain, guarded as guarded
    from ._commands import (
        claims_of as claims_of,
        first_line as first_line,
        name_other_code as name_other_code,
        parse as parse,
        print_claims as print_claims,
    )
    from ._finding import (
        UsageError as UsageError,
        announced as announced,
        choose as choose,
        load_announced as load_announced,
        load_file as load_file,
    )
    from ._machine import memory as memory, prepare as prepare

_HOMES = {
    "_cli": ("become_program", "complain", "guarded"),
    "_commands": ("claims_of", "first_line", "name_other_code", "parse", "print_claims"),
    "_finding": ("UsageError", "announced", "choose", "load_announced", "load_file"),
    "_machine": ("memory", "prepare"),
}


def __getattr__(name: str):
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".{home}", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(name for names in _HOMES.values() for name in names)
