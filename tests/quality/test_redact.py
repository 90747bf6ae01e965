import pytest

from problems import BackrouteError
from quality import Redactor


def test_named_patterns_and_ones_own_are_masked() -> None:
    redact = Redactor(["email", "card", "key", r"ACME-\d+"])
    said = redact("ann@example.org paid with 4111 1111 1111 1111 for ACME-77; sk-abcdefgh12345678")
    assert said == "[email] paid with [card] for [pattern 4]; [key]"


def test_without_patterns_a_text_stays_as_it_is() -> None:
    assert Redactor()("call +49 30 1234567, ann@example.org") == "call +49 30 1234567, ann@example.org"
    assert Redactor(["phone"])("call +49 30 1234567 at 10:30") == "call [phone] at 10:30"


def test_a_pattern_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BackrouteError, match="not a regular expression"):
        Redactor(["("])
    with pytest.raises(BackrouteError, match="did you mean 'email'"):
        Redactor(["emai("])
