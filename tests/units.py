"""What one worker of many runs from beginning to end, as its tests share compiled programs."""

from pathlib import Path

SPREAD = {"test_contract.py", "test_figures.py", "test_numbers.py", "test_wrong_arguments.py"}
"""Files whose tests are long and share nothing, but with those of the same parameters."""


def unit(nodeid: str) -> str:
    """What one worker runs from beginning to end: a file, or the tests of a parameter."""
    file, _, test = nodeid.partition("::")
    name, _, parameter = test.partition("[")
    return f"{file}[{parameter or name}" if Path(file).name in SPREAD else file
