"""`python -m meanfield`, the same as the command `meanfield`."""

from .commands import main

raise SystemExit(main())
