"""`meanfield list`: the studies there are."""

from rich.table import Table

from .. import studies
from ._arguments import NoOptions, parse
from ._finding import announced
from ._printing import console, first_line


def list_studies(arguments: list[str]) -> int:
    """Shows the studies there are."""
    parse(NoOptions, "meanfield list", arguments)
    table = Table("study", "what it is", box=None)
    for name, study in studies.available().items():
        table.add_row(name, first_line(study))
    for name, point in announced("meanfield.studies").items():
        table.add_row(name, f"of {point.value.partition(':')[0]}")
    console().print(table)
    return 0
