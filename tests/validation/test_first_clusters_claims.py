import pytest

from meanfield.studies import FirstClusters


@pytest.mark.slow
def test_the_claims_hold_at_full_size():
    study = FirstClusters()
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
