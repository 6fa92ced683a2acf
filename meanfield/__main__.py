"""`python -m meanfield`, the same as the command `meanfield`."""

from ._cli import main

raise SystemExit(main())
