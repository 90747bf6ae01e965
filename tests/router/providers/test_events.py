import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.providers.events import Events
from workloads.sse import DONE, read_events

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STREAMS = st.lists(st.dictionaries(TEXTS, TEXTS, max_size=3), max_size=6)


@given(STREAMS, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.randoms())
def test_however_the_bytes_are_split_the_events_are_the_same(
    events: list[dict[str, str]], newline: str, escaped: bool, chance: object
) -> None:
    """Any characters, line separators of Unicode among them; and the log reader finds the same events."""
    lines = [f"event: x{newline}data: {json.dumps(e, ensure_ascii=escaped)}{newline}{newline}" for e in events]
    whole = ": a comment\n\n" + "".join(lines) + f"data: [DONE]{newline}{newline}"
    data = whole.encode()
    cuts = sorted(chance.sample(range(len(data)), min(5, len(data))))  # type: ignore[attr-defined]
    framing, found = Events(), []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        found += framing.feed(data[start:end])
    assert found == [*events, DONE]
    assert framing.rest() == []
    assert list(read_events(whole)) == found


def test_a_last_event_counts_only_if_it_is_whole() -> None:
    whole, cut = Events(), Events()
    assert whole.feed(b'data: {"a": 1}') == cut.feed(b'data: {"a": ') == []
    assert whole.rest() == [{"a": 1}]
    assert cut.rest() == []


def test_data_on_several_lines_is_one_event() -> None:
    assert Events().feed(b'data: {"a":\ndata: 1}\n\n') == [{"a": 1}]


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: 7\n\n", b"data: \xff\n\n", b"data: " + b"[" * 5000 + b"\n\n"])
def test_an_event_that_is_no_object_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="not"):
        Events().feed(data)
