"""`backroute export`: the rules as a gateway's configuration, and by name what it cannot hold."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("export", epilog="Example: backroute export rules.yaml --to litellm > config.yaml")
@click.argument("rules")
@click.option("--to", "gateway", type=click.Choice(["litellm"]), default="litellm", help="The gateway. [litellm]")
@click.option("--model", default="auto", help="The model name that clients ask for. [auto]")
@click.option("--hook", is_flag=True, help="Run the rules themselves in the proxy, all of them, by Backroute's hook.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write here instead of to standard output.")
def command(rules: str, gateway: str, model: str, hook: bool, out: Path | None) -> None:  # noqa: ARG001 - one so far
    """Write RULES as a LiteLLM proxy configuration.

    LiteLLM routes by the model's name alone, so most rules cannot be said in its configuration: they are named on
    stderr, each with its reason. With --hook the configuration runs the rules file itself.
    """
    from problems import BackrouteError
    from router import load_rules
    from router.gateways.export import litellm_config
    from router.yaml_text import write_yaml

    exported = litellm_config(load_rules(rules), model=model, hook=hook)
    text = write_yaml(exported.config)
    if out is None:
        click.echo(text, nl=False)
    else:
        try:
            out.write_text(text, "utf-8")
        except OSError as error:
            raise BackrouteError("--out", f"cannot be written ({error.strerror})", fix="give another file") from error
    for name, why in exported.left_out:
        click.echo(f"not expressed: rule {name!r}: {why}", err=True)
    if exported.left_out:
        click.echo("note: --hook runs every rule in the proxy; see docs/gateways.md", err=True)
