"""Processes of one job that meet over loopback, as Slurm would start them."""

import os
import socket
import subprocess
import sys
from pathlib import Path


def run_job(
    script: str, folder: Path, count: int, devices: int, **more: str
) -> tuple[list[int], list[str]]:
    """Exit statuses of `count` processes of a script of this folder, and what they said."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = os.environ["XLA_FLAGS"].replace("device_count=4", f"device_count={devices}")
    job = {"JAX_COORDINATOR_PORT": str(port), "SLURM_JOB_ID": "1", "SLURM_NTASKS": str(count)}
    job |= {"SLURM_STEP_NODELIST": "localhost", "XLA_FLAGS": flags, **more}
    peers = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script)), str(folder)],
            env=os.environ | job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(count)
    ]
    try:
        said = [peer.communicate(timeout=300)[0] for peer in peers]
    finally:
        for peer in peers:
            peer.kill()
    return [peer.returncode for peer in peers], said
