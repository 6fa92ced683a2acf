"""meanfield: transformers as interacting particle systems.

  meanfield list                                      the studies there are
  meanfield run STUDY [--field value ...] [--tiny]    run one and hold it against theory
                      [--out DIR] [--seeds N] [--distributed]
  meanfield show DIR                                  what a run left in a folder
  meanfield doctor                                    whether this machine computes right numbers
  meanfield --version

`meanfield run STUDY --help` lists a study's fields. A run that is stopped resumes where it was.
The exit status is 1 if a claim fails, 2 for bad input, 130 if interrupted.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status."""
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"meanfield {metadata.version('meanfield-jax')}")
        return 0
    return guarded(lambda: _dispatch(arguments), show_traceback="--traceback" in arguments)


def guarded(command: Callable[[], int], show_traceback: bool = False) -> int:
    """The exit status of `command`, with one sentence for each error that a user can mend."""
    try:
        return command()
    except (ValueError, RuntimeError) as error:  # bad input; a failure while integrating
        if show_traceback:
            raise
        return complain(str(error))
    except Exception as error:  # a defect, or what nobody thought of
        if show_traceback:
            raise
        return complain(f"{type(error).__name__}: {error} (--traceback shows where)")
    except SystemExit as asked_for_help:
        return int(asked_for_help.code or 0)
    except KeyboardInterrupt:
        complain("interrupted; the finished cells are kept, and the same command resumes")
        return 130


def _dispatch(arguments: list[str]) -> int:
    # XLA greets each program that it reads from its cache with an error about itself
    # ("prefer-no-gather is not supported"); the level is read when jax is first imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from . import _commands

    known = {
        "list": _commands.list_studies,
        "run": _commands.run,
        "show": _commands.show,
        "doctor": _commands.doctor,
    }
    name = _commands.choose(arguments[0], known, "command", "meanfield --help")
    return known[name](arguments[1:])


def complain(message: str) -> int:
    """Says what went wrong in one paragraph on the standard error; the status for bad input."""
    print(f"meanfield: {' '.join(message.split())}", file=sys.stderr)
    return 2
