"""YAML as a rules file may use it: no key twice, no merges, and of a size that a person could have meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from problems import BackrouteError

MOST_VALUES = 100_000
DEEPEST = 50


def read_yaml(text: str, where: str) -> Any:
    """The data in YAML text.

    Raises:
        BackrouteError: not YAML, a key given twice, or too much of it (anchors multiply, so it is what they stand for
            that counts); `where` is what errors call the text.
    """
    try:
        data = yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        place = f"{where}:{error.problem_mark.line + 1}" if error.problem_mark else where
        raise BackrouteError(place, f"not YAML ({error.problem})", fix="mind the indentation and quotes") from error
    except RecursionError as error:
        raise BackrouteError(where, "not YAML that can be read (nested too deeply)", fix="nest less") from error
    except Exception as error:  # PyYAML's constructors raise whatever Python does on a value such as 2024-02-30
        raise BackrouteError(where, f"not YAML ({error})", fix="put unusual values in quotes") from error
    _check_size(data, where)
    return data


def write_yaml(data: Any) -> str:
    """The data as YAML text that `read_yaml` reads back equal."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _check_size(data: Any, where: str) -> None:
    values, waiting = 0, [(data, 0)]
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if values > MOST_VALUES or depth > DEEPEST:
            what = f"more than {MOST_VALUES:,} values, or nested more than {DEEPEST} deep"
            raise BackrouteError(where, what, fix="write fewer, and mind anchors that hold themselves or each other")
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise BackrouteError(where, f"half a character ({value!r})", fix="write the character itself")
        if isinstance(value, Mapping):
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple | set):
            waiting.extend((part, depth + 1) for part in value)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which would let the second of two equal keys win without a word."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called on every mapping before its keys are read."""
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "`<<` has no meaning in rules", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    problem = f"the key {key.value!r} stands here twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add((key.tag, key.value))


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which would write Unicode's line breaks so that they are read back as spaces."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(mark in text for mark in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent_text)
