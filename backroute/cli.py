"""The `backroute` command: finds the verb's file, and turns a user's mistake into one line and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from problems import BackrouteError

VERBS = {
    "demo": "The 60/25/15 case from a bundled log, end to end.",
    "inspect": "What a log holds: format, rows, models, dates, token provenance, problems, spend.",
    "check": "Rules that never fire or are shadowed; models unpriced, retired or superseded.",
    "replay": "Replay a log through routing rules: what the invoice would have been.",
    "profile": "A content-free copy of a log that replays to the same totals.",
    "explain": "One request of a replay: the rule that fired, tokens, prices, the arithmetic.",
    "prices": "The price book: show a model, list changes, see how old the data is.",
    "synth": "Write a synthetic log from a mix of request classes.",
    "verify": "Are the routed answers as good? Live calls on a sample, within a cap.",
    "sweep": "Vary numbers of the rules: cost against quality, the frontier drawn.",
    "tune": "The cheapest setting that keeps a quality floor, tried on the other half.",
    "train": "Learn a task model, or how well models do, from your own log.",
    "report": "A replay's folder as a page, PDF, Markdown, charts, tables or FOCUS.",
    "compare": "Two or more replays side by side.",
    "calibrate": "Refit the token prediction to paired live answers of your own traffic.",
    "monitor": "Live spend, mix and failures against the forecast of a replay.",
    "ab": "Results of an experiment on live traffic, and how many requests one needs.",
    "export": "The rules as a LiteLLM proxy configuration, and what it cannot express.",
    "audit": "Can any traffic at all produce a claimed saving at list prices?",
}


class Verbs(click.Group):
    """Verbs by name; a verb's file is imported only when it is called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs, in the order a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """The verb of a name."""
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"backroute.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb asked for, or an error with the nearest one."""
        from problems import nearest

        if args and args[0] not in VERBS:
            hint = nearest(args[0], VERBS) or "`backroute --help` lists the verbs"
            raise BackrouteError("command line", f"no verb {args[0]!r}", fix=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """One line a verb, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backroute", prog_name="backroute")
def cli() -> None:
    """Backtest LLM routing: replay your request log and see what you would have paid, and how sure that is.

    \b
    Start with:  backroute demo
    Your own:    backroute replay log.jsonl --rules rules.yaml --out out/
    """


def main() -> None:
    """The `backroute` command."""
    sys.exit(run())


def run(args: list[str] | None = None) -> int:
    """Run a command line, the process's own where none is given; returns the exit code.

    0 done, 1 a gate failed, 2 usage or configuration, 3 data incomplete, 4 a provider failed or the spend cap was
    reached, 130 interrupted.
    """
    try:
        code = cli.main(args, prog_name="backroute", standalone_mode=False)
        sys.stdout.flush()
    except BackrouteError as error:
        click.echo(f"backroute: {error}", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("backroute: interrupted", err=True)
        code = 130
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`); nothing more can be said on it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code if isinstance(code, int) else 0
