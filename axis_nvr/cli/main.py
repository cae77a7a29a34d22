"""``axis-nvr``: the commands, and how one is run.

Each command is a row of `COMMANDS`. Exit codes: 0 all well, 1 something was found (or not found),
2 it could not be done.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from axis_nvr.cli.check import CHECK
from axis_nvr.cli.command import EXIT_FAILED, EXIT_OK
from axis_nvr.cli.lock import LOCK, LOCKS, UNLOCK
from axis_nvr.cli.rebuild import REBUILD
from axis_nvr.cli.recordings import LS, SHOW
from axis_nvr.cli.verify import VERIFY
from axis_nvr.errors import NvrError

#: Every command there is.
COMMANDS = (LS, SHOW, LOCK, UNLOCK, LOCKS, CHECK, REBUILD, VERIFY)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(prog="axis-nvr", description="Look at a recorder's disks.")
    parser.add_argument("--version", action="version", version=f"axis_nvr {_version()}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _version() -> str:
    try:
        return version("axis_nvr")
    except PackageNotFoundError:
        return "of a checkout"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    :param arguments: those of the command line, if not given.
    :returns: the exit code.
    """
    parsed = make_parser().parse_args(arguments)
    try:
        code = parsed.run(parsed)
        sys.stdout.flush()
    except NvrError as error:
        print(f"axis-nvr: {error}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
