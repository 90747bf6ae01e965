import asyncio
import json
from collections.abc import Callable

import pytest

from pricing import PriceBook
from quality import Judge, Tariff, favours
from quality.calls import Call
from quality.journal import Outcome
from quality.judge import family, read_verdict
from quality.population import Request

REQUEST = Request(7, "r7", "code", "x/y", "z/w", "code", None, ({"role": "user", "content": "sort a list"},), None)


def judged(
    book: PriceBook, reply: Callable[[str, str], str], baseline: str = "GOOD", routed: str = "BAD"
) -> tuple[float | None, list[Call], Judge]:
    """The difference, the calls made, and the judge; `reply` is told answers A and B."""
    calls: list[Call] = []

    async def ask(call: Call) -> Outcome:
        calls.append(call)
        shown = json.loads(call.messages[1]["content"])
        said = reply(shown["answer A"], shown["answer B"])
        return Outcome(call.id, 1, text="what?" if said == "REPAIR" and len(call.messages) == 2 else said)

    judge = Judge("openai/gpt-4o", Tariff(book))
    return asyncio.run(judge.difference(REQUEST, baseline, routed, ask)), calls, judge


def winner(name: str) -> str:
    return json.dumps({"winner": name})


def test_a_win_in_both_orders_is_a_win(book: PriceBook) -> None:
    better = lambda a, _: winner("A" if a == "GOOD" else "B")  # noqa: E731
    assert judged(book, better)[0] == -1
    assert judged(book, better, "BAD", "GOOD")[0] == 1


def test_a_judge_that_always_prefers_the_first_says_nothing_and_is_counted(book: PriceBook) -> None:
    found, calls, judge = judged(book, lambda *_: winner("A"))
    assert (found, judge.split, len(calls)) == (0, 1, 2)


def test_a_win_in_one_order_and_a_tie_in_the_other_is_half_a_win(book: PriceBook) -> None:
    assert judged(book, lambda a, _: winner("A" if a == "GOOD" else "tie"))[0] == -0.5


def test_the_judge_does_not_learn_who_wrote_what_and_gets_the_rubric_of_the_task(book: PriceBook) -> None:
    _, calls, _ = judged(book, lambda *_: winner("tie"))
    for call in calls:
        sent = json.dumps(call.messages)
        assert not any(name in sent for name in ("x/y", "z/w", "baseline", "routed"))
        assert "code is correct, complete" in sent
    assert [call.id for call in calls] == ["7:judge:0", "7:judge:1"]


def test_a_reply_that_is_not_the_json_is_asked_for_once_more(book: PriceBook) -> None:
    state = []

    def reply(a: str, _: str) -> str:
        state.append(a)
        return "I like A" if len(state) == 1 else winner("tie")

    found, calls, judge = judged(book, reply)
    assert (found, judge.unread) == (0, 0)
    assert [call.id for call in calls] == ["7:judge:0", "7:judge:0:repair", "7:judge:1"]
    assert calls[1].messages[2]["content"] == "I like A"


def test_a_judge_that_never_says_json_gives_no_verdict(book: PriceBook) -> None:
    found, calls, judge = judged(book, lambda *_: "A!")
    assert (found, judge.unread, len(calls)) == (None, 1, 4)


def test_equal_texts_are_a_tie_without_a_call(book: PriceBook) -> None:
    found, calls, _ = judged(book, lambda *_: winner("A"), "same", "same\n")
    assert (found, calls) == (0, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"winner": "A"}', "A"), ('```json\n{"winner": "tie", "reason": "alike"}\n```', "tie"),
        ('{"winner": "C"}', None),
        ('{"winner": "A"} because', None), ("A", None), ("", None), ('{"winner": "A", "p": 1}', None),
        ("\ud800", None),
    ],
)  # fmt: skip
def test_only_strict_json_is_a_verdict(text: str, said: str | None) -> None:
    assert read_verdict(text) == said


def test_a_judge_of_a_models_own_family_is_named() -> None:
    models = ["openai/gpt-4o-mini", "groq/llama-3.1-8b-instant", "azure/o3-mini", "anthropic/claude-sonnet-4-5"]
    assert favours("openai/gpt-4o", models) == ["openai/gpt-4o-mini", "azure/o3-mini"]
    assert favours("anthropic/claude-opus-4-1", models) == ["anthropic/claude-sonnet-4-5"]
    assert favours("house/own-model", models) == []
    assert family("groq/llama-3.3-70b-versatile") == "Llama"


def test_a_judge_without_a_price_is_refused(book: PriceBook) -> None:
    with pytest.raises(Exception, match="unknown model"):
        Judge("house/none", Tariff(book)).expected_pico(REQUEST, 10, 10)
