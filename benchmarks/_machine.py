"""What the benchmarks ran on."""

import os
import platform
from pathlib import Path

import jax

from meanfield._runtime import memory

from ._contest import Missing, need

PEERS = {
    "torch": "torch",
    "pykeops": "pykeops",
    "ot": "POT",
    "geomloss": "geomloss",
    "pde": "py-pde",
    "jax_finufft": "jax-finufft",
    "scipy": "scipy",
}


def machine() -> dict[str, str]:
    """The processor, its cores, the memory, the device of jax, and the versions of the peers."""
    device = jax.devices()[0]
    facts = {
        "processor": _processor(),
        "cores": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "memory": memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": f"{len(jax.devices())} x {device.platform} ({device.device_kind})",
        "jax": jax.__version__,
    }
    return facts | {package: _version(module, package) for module, package in PEERS.items()}


def _version(module: str, package: str) -> str:
    try:
        return need(module, package)
    except Missing:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
