"""What a command is made of: how it ends, its arguments, what it finds, shows and computes on.

For commands such as `python -m paper_figs`. Names are imported when first used: `become_program` is
called before the imports that take seconds.
"""

from typing import TYPE_CHECKING

from ._lazy import offers

if TYPE_CHECKING:
    from ._names import snake_case as snake_case
    from .commands._arguments import parse as parse
    from .commands._cli import (
        become_program as become_program,
        complain as complain,
        guarded as guarded,
    )
    from .commands._finding import (
        UsageError as UsageError,
        announced as announced,
        choose as choose,
        load_announced as load_announced,
        load_file as load_file,
    )
    from .commands._machine import memory as memory, prepare as prepare
    from .commands._printing import first_line as first_line, print_claims as print_claims
    from .commands._run import claims_of as claims_of, name_other_code as name_other_code
    from .commands._signals import resumes as resumes

__getattr__, __dir__ = offers(__name__)
