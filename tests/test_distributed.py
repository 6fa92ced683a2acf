"""The command line and the ring of devices on two processes that meet over loopback."""

import json

import pytest
from jobs import run_job

from meanfield.studies.machinery._share import compute_share


@pytest.mark.parametrize("ways", ["slopes", pytest.param("slopes run", marks=pytest.mark.slow)])
def test_two_processes_share_a_study_and_a_cloud(ways, tmp_path):
    codes, said = run_job("peer.py", tmp_path, count=2, devices=2, WAYS=ways)
    assert codes == [0, 0], said
    claims = json.loads((tmp_path / "out" / "claims.json").read_text())
    assert all(claim["passed"] for claim in claims)
    computed = (tmp_path / "computed").read_text().split()
    assert len(computed) == len(set(computed)) == 6  # each cell by one of them
    assert "results in" in said[0]
    assert "results in" not in said[1]


def test_cells_are_spread_over_the_devices_of_a_process():
    import jax
    import jax.numpy as jnp

    homes = {}
    compute_share(range(8), lambda cell: homes.update({cell: jnp.ones(3).device}))
    assert sorted(homes) == [*range(8)]
    assert set(homes.values()) <= set(jax.local_devices())
    with pytest.raises(ZeroDivisionError):
        compute_share(range(8), lambda cell: 1 / 0)
