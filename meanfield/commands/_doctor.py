"""`meanfield doctor`: whether this machine computes right numbers."""

import contextlib

from ._arguments import NoOptions, parse
from ._machine import prepare, report
from ._printing import print_facts


def doctor(arguments: list[str]) -> int:
    """Shows what there is to know about this machine; 1 if it computes wrong numbers."""
    parse(NoOptions, "meanfield doctor", arguments)
    # A jax that is known to be wrong is to be reported here, and not refused.
    with contextlib.suppress(ValueError):
        prepare()
    facts, sound = report()
    print_facts(facts)
    print("this machine computes right numbers" if sound else "do not trust results from here")
    return 0 if sound else 1
