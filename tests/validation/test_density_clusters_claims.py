import pytest

from meanfield.studies import DensityClusters


@pytest.mark.slow
def test_the_claims_hold_at_full_size():
    study = DensityClusters()
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
