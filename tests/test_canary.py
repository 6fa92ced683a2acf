"""A compiler that computes wrong numbers must not pass unseen."""

import os
import subprocess
import sys
from pathlib import Path


def test_programs_as_users_compile_them_compute_what_they_should():
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}  # see conftest.py
    script = Path(__file__).with_name("canary.py")
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
