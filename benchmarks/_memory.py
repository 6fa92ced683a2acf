"""The peak memory of one run, in a process that has done nothing else."""

from pathlib import Path

from ._contest import Work

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak(work: Work) -> float | None:
    """MB that the first run of `work` needs beyond what the process holds; None where no system tells.

    Linux keeps the highest resident size of a process, and forgets it when told to.
    """
    try:
        _RESET.write_text("5")
        before = _kilobytes("VmRSS")
        work()
        return (_kilobytes("VmHWM") - before) / 1e3
    except OSError:
        return None


def _kilobytes(name: str) -> float:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return float(lines[name].split()[0])
