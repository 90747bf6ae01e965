from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from workloads import read_log
from workloads.sessions import InferredSessions, SessionLinker

Turn = tuple[str, str]  # question and answer


def conversation(turns: list[Turn], *, minutes: int = 1, start: int = 0, **fields: Any) -> list[dict[str, Any]]:
    """One call a turn, each with all messages before it, as chat APIs want them."""
    rows: list[dict[str, Any]] = []
    messages: list[dict[str, str]] = []
    for number, (question, answer) in enumerate(turns):
        messages = [*messages, {"role": "user", "content": question}]
        hour, minute = divmod(start + number * minutes, 60)
        rows.append(
            {
                "model": "gpt-4o",
                "timestamp": f"2026-06-{1 + hour // 24:02d}T{hour % 24:02d}:{minute:02d}:00Z",
                "messages": messages,
                "completion": answer,
            }
            | fields
        )
        messages = [*messages, {"role": "assistant", "content": answer}]
    return rows


def sessions(rows: list[dict[str, Any]], **options: Any) -> tuple[list[str], SessionLinker]:
    """Every row's session, and the linker with its counts."""
    log = InferredSessions(read_log([{"request_id": f"r{n}"} | row for n, row in enumerate(rows)]), **options)
    return log.requests()["session_id"].tolist(), log.linker


HELLO = [("hello", "hi there"), ("what is 2 + 2?", "4"), ("and 3 + 3?", "6")]


def test_the_calls_of_one_conversation_share_a_session_that_says_it_was_inferred() -> None:
    found, linker = sessions(conversation(HELLO) + conversation([("something else", "yes")]))
    assert len(set(found[:3])) == 1
    assert found[3] != found[0]
    assert all(session.startswith("inferred-") for session in found)
    assert (linker.started, linker.continued, linker.linked) == (2, 2, 1)


def test_the_answer_tells_two_conversations_with_one_beginning_apart() -> None:
    """Both begin "hello"; the first goes on after the second has begun."""
    first, second = conversation(HELLO), conversation([("hello", "good day"), ("what is 2 + 2?", "4")])
    found, _ = sessions([first[0], second[0], first[1], second[1]])
    assert found[2] == found[0]
    assert found[3] == found[1]
    assert found[0] != found[1]


def test_an_answer_that_the_log_does_not_hold_is_no_hindrance() -> None:
    rows = [{name: value for name, value in row.items() if name != "completion"} for row in conversation(HELLO)]
    found, _ = sessions(rows)
    assert len(set(found)) == 1


def test_an_edited_history_begins_anew_and_so_does_another_system_prompt() -> None:
    changed = conversation([("hello, edited", "hi there"), *HELLO[1:]])
    found, _ = sessions([conversation(HELLO)[0], changed[1]])
    assert found[0] != found[1]
    found, _ = sessions([conversation(HELLO, system="be brief")[0], conversation(HELLO, system="be long")[1]])
    assert found[0] != found[1]


def test_questions_without_an_answer_between_them_are_not_one_conversation() -> None:
    """A batch of few-shot prompts that grow by a question each, say."""
    user = [{"role": "user", "content": text} for text in ("a", "b", "c")]
    found, _ = sessions([{"messages": user[:n]} for n in (1, 2, 3)])
    assert len(set(found)) == 3


def test_users_are_kept_apart_where_they_are_known() -> None:
    rows = conversation(HELLO, user_id="ann")[:1] + conversation(HELLO, user_id="bo")[1:2]
    assert len(set(sessions(rows)[0])) == 2
    rows = conversation(HELLO, user_id="ann")[:1] + conversation(HELLO)[1:2]
    assert len(set(sessions(rows)[0])) == 1


def test_a_conversation_that_rested_too_long_begins_anew() -> None:
    """Turns 25 hours apart, under a window of 24 and of 26 hours."""
    rows = conversation(HELLO, minutes=25 * 60)
    assert len(set(sessions(rows)[0])) == 3
    assert len(set(sessions(rows, window_hours=26)[0])) == 1


def test_a_tools_result_goes_on_with_the_conversation() -> None:
    asked = [{"role": "user", "content": "weather?"}]
    function = {"name": "look_up", "arguments": "{}"}
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "rain"}
    found, _ = sessions([{"messages": asked}, {"messages": [*asked, call, result]}])
    assert len(set(found)) == 1


def test_logged_sessions_stay_and_calls_without_text_get_none() -> None:
    lengths_only = {"usage": {"prompt_tokens": 5, "completion_tokens": 5}}
    rows = [*conversation(HELLO, session_id="s1")[:1], lengths_only]
    found, linker = sessions(rows)
    assert found[0] == "s1"
    assert not isinstance(found[1], str)
    assert linker.started == 0


def test_the_longest_untouched_conversations_are_forgotten_first() -> None:
    rows = conversation(HELLO)
    others = [row for n in range(50) for row in conversation([(f"question {n}", "answer")])]
    log = read_log([{"request_id": f"r{n}"} | row for n, row in enumerate([rows[0], *others, rows[1]])])
    for most_open, together in ((10, False), (100, True)):
        linker = SessionLinker(most_open=most_open)
        found = [session for batch in log.batches() for session in linker(*batch)[0]["session_id"].to_pylist()]
        assert (found[0] == found[-1]) is together
        assert len(linker._open) <= 2 * most_open


def test_a_second_reading_finds_the_same() -> None:
    log = InferredSessions(read_log(conversation(HELLO)))
    assert log.requests()["session_id"].tolist() == log.requests()["session_id"].tolist()
    assert log.linker.started == 1


WORDS = st.sampled_from(["a", "b", "c", ""])


@settings(max_examples=60, deadline=None)
@given(
    talks=st.lists(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), min_size=1, max_size=5),
    order=st.randoms(use_true_random=False),
    size=st.integers(1, 7),
)
def test_batches_do_not_matter_and_a_link_is_always_a_common_beginning(
    talks: list[list[Turn]], order: Any, size: int
) -> None:
    """Turns of several conversations, interleaved; each keeps its own order."""
    waiting = [conversation(turns) for turns in talks]
    rows: list[dict[str, Any]] = []
    while any(waiting):
        rows.append(order.choice([talk for talk in waiting if talk]).pop(0))
    log = read_log([{"request_id": f"r{n}"} | row for n, row in enumerate(rows)])

    def read(batch: int) -> list[str]:
        linker = SessionLinker()
        return [s for both in log.batches(rows=batch) for s in linker(*both)[0]["session_id"].to_pylist()]

    found = read(1000)
    assert read(size) == found
    for n, session in enumerate(found):
        earlier = [rows[m]["messages"] for m in range(n) if found[m] == session]
        own = rows[n]["messages"]
        assert not earlier or any(own[: len(messages)] == messages and len(own) > len(messages) for messages in earlier)
