"""Experiment files: YAML that names the arms' rules files and weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pricing import PriceBook
from problems import BackrouteError
from problems.problem import shown
from router.experiment import Arm, Experiment
from router.grammar import check_keys
from router.rule_files import bundled_rules, load_rules
from router.yaml_text import read_yaml

KEYS = ("experiment", "unit", "horizon", "arms")
ARM_KEYS = ("name", "rules", "weight")


def load_experiment(path: str | Path, *, book: PriceBook | None = None, **live: Any) -> Experiment:
    """An experiment from a YAML file.

    Args:
        path: keys `experiment` (its name), `unit`, `horizon` and `arms`, a list of {name, rules, weight}; `rules` is a
            rules file, found from the experiment file's folder, or a bundled set.
        book: prices for the rules.
        live: `providers`, `decision_log`, `metrics` and `clock` of `Experiment`.

    Raises:
        BackrouteError: a file that is missing or cannot be meant as it stands.
    """
    where, path = str(path), Path(path)
    try:
        data = read_yaml(path.read_text("utf-8"), where)
    except (OSError, UnicodeDecodeError) as error:
        raise BackrouteError(where, "cannot be read", fix="give a YAML file with experiment, unit and arms") from error
    if not isinstance(data, Mapping):
        raise BackrouteError(where, f"not an experiment ({shown(data)})", fix="write experiment, unit and arms")
    check_keys(data, KEYS, where)
    arms = data.get("arms")
    if not isinstance(arms, list) or not arms:
        raise BackrouteError(where, f"no arms ({shown(arms)})", fix="a list of {name, rules, weight}, control first")
    name, unit = str(data.get("experiment") or ""), str(data.get("unit", "session_id"))
    listed = [_arm(arm, path, book) for arm in arms]
    return Experiment(name, listed, unit, horizon=data.get("horizon"), book=book, **live)


def is_experiment(path: Path) -> bool:
    """Whether a YAML file is an experiment rather than rules."""
    try:
        data = read_yaml(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError):
        return False
    return isinstance(data, Mapping) and "experiment" in data


def _arm(entry: Any, path: Path, book: PriceBook | None) -> Arm:
    where = f"{path}: arms"
    if not isinstance(entry, Mapping):
        raise BackrouteError(where, f"not a mapping ({shown(entry)})", fix="write name, rules and weight")
    check_keys(entry, ARM_KEYS, where)
    name, rules, weight = entry.get("name"), entry.get("rules"), entry.get("weight")
    if not isinstance(name, str) or not isinstance(rules, str):
        raise BackrouteError(where, f"no name or no rules ({shown(entry)})", fix="write name, rules and weight")
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        what = f"{name!r} has no weight ({shown(weight)})"
        raise BackrouteError(where, what, fix="a number, against the other arms' weights; 0 for a shadow")
    found = rules if rules in bundled_rules() else path.parent / rules
    return Arm(name, load_rules(found, book=book), float(weight))
