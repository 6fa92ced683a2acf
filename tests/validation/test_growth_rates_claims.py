import pytest

from meanfield.studies import GrowthRates


@pytest.mark.slow
def test_the_claims_hold_at_full_size():
    study = GrowthRates()
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
