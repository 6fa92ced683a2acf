"""meanfield: transformers as interacting particle systems.

  meanfield list                    the studies there are
  meanfield run STUDY [...]         run one and hold it against theory; STUDY
                                    may be a file of yours, my_study.py
      [--field value ...] [--tiny] [--out DIR] [--seeds N] [--keep] [--fresh]
      [--distributed] [--no-picture]
  meanfield show DIR                what a run left in a folder
  meanfield plot DIR                a picture of it: .png, .pdf or .svg
      [--figure NAME] [--out FILE]
  meanfield view DIR [--open]       a page: picture, claims, tokens to turn
  meanfield export DIR              tidy tables for other tools
      [--csv] [--parquet] [--out DIR]
  meanfield figures [NAME ...]      the figures of papers
      [--tiny] [--demo] [--list]
  meanfield explore [--open]        sliders for beta, noise, n, d, normalization
  meanfield look FILE ...           what hidden states do over the layers of a
      [--axes "layer token dim"]    model: a table, a CSV file and a figure
      [--out DIR]
  meanfield record                  the hidden states of texts, by a model that
      --weights FILE                is read from its weights
      --text FILE ...
      [--out DIR] [--tokens N]
  meanfield surrogate check FILE    equations as data: their units checked; or
      run|fit|report FILE, schema   run, fitted to a table, reported on
  meanfield doctor                  whether this machine computes right numbers
  meanfield --version

`meanfield run STUDY --help` lists a study's fields. A run that is stopped
resumes where it was; what other code computed is named and computed again
(--keep uses it, --fresh computes all again). The exit status is 1 if a claim
fails, 2 for bad input, 130 if interrupted, 143 if terminated.
"""

import atexit
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from ._signals import end_on_signals, kept

_COMMANDS = {
    "list": ("_list", "list_studies"),
    "run": ("_run", "run"),
    "show": ("folders._show", "show"),
    "plot": ("folders._plot", "plot"),
    "view": ("folders._view", "view"),
    "export": ("folders._export", "export"),
    "figures": ("folders._plot", "figures"),
    "explore": ("_explore", "explore"),
    "look": ("states._look", "look"),
    "record": ("states._record", "record"),
    "surrogate": ("surrogates._surrogate", "surrogate"),
    "doctor": ("_doctor", "doctor"),
}
"""Where each command is: its module, which is imported when it is asked for, and the function."""

_BROKEN_PIPE = 141  # what a shell says of a program that wrote where nobody reads


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit status; without `argv`, as a program of its own."""
    if argv is None:
        become_program()
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    return guarded(lambda: _main(arguments), show_traceback="--traceback" in arguments)


def become_program() -> None:
    """Makes this process a program: it ends on signals, prints whatever it is asked to, and looks less
    often for what it could forget, as imports and programs make many objects and drop few; at its end
    it leaves them all to the system, where Python would look through them for half a second."""
    end_on_signals()
    gc.set_threshold(500_000, 20, 50)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not every terminal has every character
            stream.reconfigure(errors="backslashreplace", line_buffering=True)


def guarded(command: Callable[[], int], show_traceback: bool = False) -> int:
    """The exit status of `command`, with one sentence for each error that a user can mend."""
    try:
        status = command()
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # as by `meanfield list | head`
        _close_stdout()
        return _BROKEN_PIPE
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
        complain(kept("interrupted"))
        return 130


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from importlib import metadata

        print(f"meanfield {metadata.version('meanfield-jax')}")
        return 0
    return _dispatch(arguments)


def _dispatch(arguments: list[str]) -> int:
    # XLA greets each program that it reads from its cache with an error about itself
    # ("prefer-no-gather is not supported"); the level is read when jax is first imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from ._finding import choose

    name = choose(arguments[0], _COMMANDS, "command", "meanfield --help")
    home, verb = _COMMANDS[name]
    return getattr(importlib.import_module(f".{home}", __package__), verb)(arguments[1:])


def complain(message: str) -> int:
    """Says what went wrong in one paragraph on the standard error; the status for bad input."""
    with contextlib.suppress(OSError):  # nobody listens
        print(f"meanfield: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _close_stdout() -> None:
    """Sends what is still to be written nowhere: Python would complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
