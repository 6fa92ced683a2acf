import pytest

from meanfield.studies import PublishedClusters


@pytest.mark.slow
def test_the_claims_hold_at_full_size():
    study = PublishedClusters()
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
