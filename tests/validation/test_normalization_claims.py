import pytest

from meanfield.studies import Normalization, RandomTransformer


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Normalization, RandomTransformer])
def test_the_claims_hold_at_full_size(kind):
    study = kind()
    assert [claim for claim in study.claims(study.run()) if not claim.passed] == []
