"""What a command is made of: how it ends, its arguments, what it finds, shows and computes on.

For commands such as `python -m paper_figs`. Names are imported when first used: `become_program` is
called before the imports that take seconds.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .commands._arguments import parse as parse
    from .commands._cli import (
        become_program as become_program,
        complain as complain,
        guarded as guarded,
    )
    from .commands._finding import (
        UsageError as UsageError,
        announced as announced,
        choose as choose,
        load_announced as load_announced,
        load_file as load_file,
    )
    from .commands._machine import memory as memory, prepare as prepare
    from .commands._printing import first_line as first_line, print_claims as print_claims
    from .commands._run import claims_of as claims_of, name_other_code as name_other_code
    from .commands._signals import resumes as resumes

_HOMES = {
    "_arguments": ("parse",),
    "_cli": ("become_program", "complain", "guarded"),
    "_finding": ("UsageError", "announced", "choose", "load_announced", "load_file"),
    "_machine": ("memory", "prepare"),
    "_printing": ("first_line", "print_claims"),
    "_run": ("claims_of", "name_other_code"),
    "_signals": ("resumes",),
}


def __getattr__(name: str):
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f".commands.{home}", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(name for names in _HOMES.values() for name in names)
