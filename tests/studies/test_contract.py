"""What every study of the package must do; a new one is found by its name."""

import dataclasses
import inspect

import pytest

from meanfield.io import digest
from meanfield.studies import Study, available

STUDIES = available()


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_a_frozen_dataclass_whose_tiny_claims_hold(name):
    kind = STUDIES[name]
    assert "__dataclass_params__" in vars(kind), (
        "decorate it with dataclass(frozen=True, kw_only=True)"
    )
    assert kind.__mro__[1] is Study or inspect.isabstract(kind.__mro__[1]), (
        "studies are final: extend Study, or an abstract family of studies"
    )
    assert kind.__doc__, "say in one line what it shows"
    tiny = kind().tiny()
    assert type(tiny) is kind
    assert digest(dataclasses.replace(tiny).identity()) == digest(tiny.identity())
    claims = tiny.claims(tiny.run())
    assert claims
    assert [claim for claim in claims if not claim.passed] == []
    assert len({claim.name for claim in claims}) == len(claims)
