"""What every refusal has to be: a ValueError of one sentence that names the remedy."""

import jaxtyping
import pytest


def each_of(table):
    """A test of each row: what is wrong, the call, and words of the remedy."""
    return pytest.mark.parametrize(
        ("call", "remedy"), [row[1:] for row in table], ids=[row[0] for row in table]
    )


def check_refused(call, remedy: str) -> None:
    """The call is refused as for users: the tests' type checker would be the first to complain."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError) as caught:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        call()
    message = str(caught.value)
    assert message.startswith("expected ") and remedy in message, message
    assert "\n" not in message and len(message) < 300
