"""What docstrings and the README say: examples run, names exist, numbers are held, parameters are told."""

import pytest
from prose import HELD, ROOT, constants, in_prose, value

from meanfield import studies

LINES = [line.split(" | ") for line in HELD.read_text().splitlines()]
README = (ROOT / "README.md").read_text()


def test_every_number_in_prose_is_held():
    """Each line of held_numbers.txt: a file, numbers that its prose states, and what holds them."""
    listed: dict[str, set[str]] = {}
    for name, found, _ in LINES:
        listed.setdefault(name, set()).update(found.split())
    now = in_prose()
    free = {name: found - listed.get(name, set()) for name, found in now.items()}
    gone = {name: found - now.get(name, set()) for name, found in listed.items()}
    assert not {k: v for k, v in free.items() if v}, "say in held_numbers.txt what holds these"
    assert not {k: v for k, v in gone.items() if v}, "drop these from held_numbers.txt"


@pytest.mark.parametrize("line", LINES, ids=[f"{name}: {found}" for name, found, _ in LINES])
def test_what_holds_a_number_has_it(line):
    """A file of code that has the number, the claims of studies, or a reason (`because`)."""
    _, found, holder = line
    if holder.startswith("claims: "):
        named = {kind.__name__ for kind in studies.available().values()}
        assert {*holder.removeprefix("claims: ").split(", ")} <= named
    elif not holder.startswith("because: "):
        assert {value(number) for number in found.split()} <= constants(ROOT / holder)
