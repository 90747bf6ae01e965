"""summary.json read again: told by name where it is damaged, or is not what summary.schema.json describes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastjsonschema

from problems import BackrouteError
from problems.problem import shown

NAME = "summary.json"
AGAIN = "replay the log again"


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary of a replay's folder.

    Raises:
        BackrouteError: there is none, or it is not one.
    """
    path = folder / NAME
    if folder.is_file():
        fix = "give the --out folder of a replay of it" if folder.name != NAME else f"give its folder, {folder.parent}"
        raise BackrouteError(str(folder), "a file, where the folder of a result is wanted", fix=fix)
    if not folder.exists():
        raise BackrouteError(str(folder), "no such folder", fix="give the --out folder of a replay")
    try:
        summary: Any = json.loads(path.read_text("utf-8"), parse_constant=_refuse)
    except FileNotFoundError as error:
        raise BackrouteError(str(folder), f"no {NAME} in it", fix="give the --out folder of a replay") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BackrouteError(str(path), f"cannot be read ({error})", fix=AGAIN) from error
    if not isinstance(summary, dict):
        raise BackrouteError(str(path), "not a summary", fix=AGAIN)
    if summary.get("schema") != 1:
        what = f"unknown schema ({shown(summary.get('schema'))})"
        raise BackrouteError(str(path), what, fix=f"{AGAIN} with this version; it reads schema 1")
    try:
        _check()(summary)
    except fastjsonschema.JsonSchemaValueException as error:
        what = f"not a summary as a replay writes it: {error.message.replace('data.', '', 1)} ({shown(error.value)})"
        raise BackrouteError(str(path), what, fix=AGAIN) from None
    return summary


def _refuse(value: str) -> None:
    raise ValueError(f"no number: {value}")


@cache
def _check() -> Callable[[dict[str, Any]], Any]:
    schema = json.loads(files("simulator").joinpath("summary.schema.json").read_text("utf-8"))
    check: Callable[[dict[str, Any]], Any] = fastjsonschema.compile(
        schema, formats={"date": _is_date}, use_default=False
    )
    return check


def _is_date(value: str) -> bool:
    """Whether a text begins as a day of the calendar."""
    try:
        return bool(datetime.fromisoformat(value))
    except ValueError:
        return False
