import pytest

from meanfield.studies import PhaseTransition

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "study",
    [
        PhaseTransition(),
        PhaseTransition(d=3, beta=(1.6, 3.7), n=0),
        PhaseTransition(d=8, beta=(1.1, 2.6), n=0),
    ],
    ids=lambda study: f"d={study.d}",
)
def test_the_claims_hold_at_full_size(study):
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
