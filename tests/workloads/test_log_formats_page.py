"""The page on log formats names every format and every field."""

from pathlib import Path

from workloads.formats import FORMATS
from workloads.formats.mapping import FIELDS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "log-formats.md"


def test_every_format_has_its_line() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    assert {line.split("`")[1] for line in lines if line.startswith("| `")} - {"--log-format"} == set(FORMATS)


def test_every_field_of_a_mapping_is_named() -> None:
    words = PAGE.read_text("utf-8").replace("`", " ").replace(",", " ").split()
    assert set(FIELDS) <= set(words)
