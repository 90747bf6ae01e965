"""`backroute profile`: a content-free copy of a log that replays to the same totals."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from backroute.logs import GivenLog, log_options, say_amended, say_set_aside
from backroute.options import INFER_SESSIONS, PRICES
from problems import BackrouteError

FEWEST_SALT_BYTES = 16


@click.command("profile", epilog="Example: backroute profile june.jsonl --rules rules.yaml -o profile.parquet")
@log_options
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The Parquet file.")
@click.option("--rules", multiple=True, required=True, help="Rules that the copy shall answer; may be given again.")
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("openai/gpt-4o",),
    help="A baseline that it shall be replayed against; may be given again. [openai/gpt-4o]",
)
@click.option(
    "--salt-file",
    type=click.Path(path_type=Path),
    help="A secret of 16 bytes and more, so that several profiles hash alike. [a random one, forgotten]",
)
@PRICES
@INFER_SESSIONS
def command(
    log: GivenLog,
    out: Path,
    rules: tuple[str, ...],
    models: tuple[str, ...],
    salt_file: Path | None,
    overlay: tuple[Path, ...],
) -> None:
    """Write a copy of LOG without its content, for `backroute replay` with the same rules elsewhere.

    It holds lengths, token counts, times, costs, answers to the rules' conditions, names of models and providers, and
    ids hashed with a secret salt: no prompt, answer, system prompt or metadata.
    """
    from pricing import PriceBook
    from problems import ProblemLog
    from router import load_rules
    from simulator.profile import write_profile

    book = PriceBook.load(overlay)
    source = log.open(book)
    routers = [load_rules(name) for name in rules]
    found = ProblemLog()
    rows = write_profile(source, out, book=book, salt=_salt(salt_file), routers=routers, models=models, problems=found)
    say_amended(source)
    say_set_aside(found)
    click.echo(f"{rows:,} requests in {out}, without their content", err=True)


def _salt(path: Path | None) -> bytes:
    if path is None:
        return secrets.token_bytes(32)
    try:
        salt = path.read_bytes()
    except OSError as error:
        raise BackrouteError(
            "--salt-file", f"cannot be read ({path}: {error.strerror})", fix="check the path"
        ) from error
    if len(salt) < FEWEST_SALT_BYTES:
        what = f"too short to be a secret ({len(salt)} bytes)"
        raise BackrouteError("--salt-file", what, fix=f"give {FEWEST_SALT_BYTES} bytes or more")
    return salt
