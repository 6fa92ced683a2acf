"""The command line and the ring of devices on two processes that meet over loopback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from meanfield.studies.machinery._share import compute_share


def test_two_processes_share_a_study_and_a_cloud(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # What Slurm tells a job of two tasks on this machine; each has two devices.
    job = {
        "JAX_COORDINATOR_PORT": str(port),
        "SLURM_JOB_ID": "1",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "XLA_FLAGS": os.environ["XLA_FLAGS"].replace("device_count=4", "device_count=2"),
    }
    peers = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("peer.py")), str(tmp_path)],
            env=os.environ | job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        said = [peer.communicate(timeout=300)[0] for peer in peers]
    finally:
        for peer in peers:
            peer.kill()
    assert [peer.returncode for peer in peers] == [0, 0], said
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
