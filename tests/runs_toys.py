"""The command line, as `python -m runs_toys`, with the toy study of the tests among its own."""

from toys import Powers

from meanfield import studies
from meanfield.commands import main

studies.Powers = Powers  # pyright: ignore[reportAttributeAccessIssue]

raise SystemExit(main())
