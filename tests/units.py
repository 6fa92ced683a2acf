"""What one worker of many runs from beginning to end, as its tests share compiled programs."""

from collections import Counter
from pathlib import Path

SPREAD = {"test_contract.py", "test_figures.py", "test_numbers.py", "test_wrong_arguments.py"}
"""Files whose tests are long and share nothing, but with those of the same parameters."""


FIRST = ("test_wrong_arguments.py", "test_distributed.py", "test_lowering.py", "test_canary.py")
FIRST += ("test_docs.py", "test_figures.py")
"""Files of few tests that are long: at the end one of them would leave the other workers without work."""


def unit(nodeid: str) -> str:
    """What one worker runs from beginning to end: a file, or the tests of a parameter."""
    file, _, test = nodeid.partition("::")
    name, _, parameter = test.partition("[")
    return f"{file}[{parameter or name}" if Path(file).name in SPREAD else file


def ordered(nodeids):
    """The places of tests in the order in which workers take them: long units first, then large ones."""
    sizes = Counter(map(unit, nodeids))

    def place(k):
        name = Path(nodeids[k].partition("::")[0]).name
        first = FIRST.index(name) if name in FIRST else len(FIRST)
        return first, -sizes[unit(nodeids[k])], unit(nodeids[k])

    return sorted(range(len(nodeids)), key=place)
