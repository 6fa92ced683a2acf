"""One of several processes in test_killed_peers.py: `python mortal.py FOLDER`, of which some are killed."""

import os
import signal
import sys
from pathlib import Path

from toys import Powers

from meanfield import studies
from meanfield.commands import _machine, main
from meanfield.studies.machinery import _share


class MortalPowers(Powers):
    """Whose process is killed in its second cell, if its rank is the one that is to die."""

    def compute(self, cell):
        if os.environ["SLURM_PROCID"] == os.environ["DIES"]:
            if getattr(sys, "computed", 0) == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            sys.computed = 1
        return super().compute(cell)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    _share.BEAT, _share.PATIENCE, _machine.HEARTBEAT = 0.2, 3.0, 5
    setattr(studies, "MortalPowers", MortalPowers)  # noqa: B010
    log, out = str(folder / "computed"), str(folder / "out")
    run = ["run", "mortal_powers", "--log", log, "--out", out, "--distributed", "--no-picture"]
    sys.exit(main(run))
