"""The command as a user calls it, in this process: exit code, stdout, stderr."""

import contextlib
import io
from typing import NamedTuple

from backroute.cli import run


class Said(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def backroute(*arguments: str) -> Said:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = run([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())
