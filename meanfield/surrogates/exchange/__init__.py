"""Documents and data as other tools read them: PEtab's tables and SBML."""

from typing import TYPE_CHECKING

from ..._lazy import offers

if TYPE_CHECKING:
    from ._from_sbml import from_sbml as from_sbml
    from ._petab import from_petab as from_petab, problem_of as problem_of
    from ._petab_files import read_tables as read_tables
    from ._sbml import as_sbml as as_sbml
    from ._tables import read_measurements as read_measurements, write_tables as write_tables

__getattr__, __dir__ = offers(__name__)
