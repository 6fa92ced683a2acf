import pytest

from meanfield.studies import Metastability, SlowMerging, Staircase


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Metastability, SlowMerging, Staircase])
def test_the_claims_hold_at_full_size(kind):
    study = kind()
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
