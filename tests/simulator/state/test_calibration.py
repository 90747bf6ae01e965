"""Hit rates, calibrated on the cache reads that a log recorded."""

from typing import Any

import pytest

from simulator.state.settings import CacheSettings, State
from tests.simulator.state.samples import LONG, chat, replayed


def test_the_hit_rate_is_calibrated_on_what_the_log_recorded() -> None:
    """The second call could have read 1,920 tokens and the log says it read 960: half."""
    usage = {"prompt_tokens": 2000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 960}}
    rows = [chat(0, LONG), chat(1, LONG, "yes", "go on", at_s=30, usage=usage)]
    _, after = replayed(rows, State(cache=CacheSettings()))
    assert after.requests()["logged_cache_read"].tolist() == [0, 960]
    (said,) = after.summary["cache"]["calibration"]
    assert (said["provider"], said["hit_rate"], said["error_pct"], said["source"]) == ("openai", 0.5, 0.0, "the log")
    _, given_ = replayed(rows, State(cache=CacheSettings({"openai": 1.0})))
    assert given_.requests()["logged_cache_read"].tolist() == [0, 1920]
    assert given_.summary["as_logged"] == after.summary["as_logged"], "what was logged stays what it was"
    assert given_.summary["coverage"]["logged_usd_pct"] == 100.0


def test_reads_that_no_simulation_of_the_log_could_know_are_told_apart() -> None:
    """OpenAI caches no prompt of 1,000 tokens, and before the first call of the log nothing begins as it does.

    Of the other two, both of 2,000 tokens, the first could read 15 x 128 = 1,920 and read 960. The second comes 670 s
    later, too late after 600 s, and yet read 1,920: there the simulation errs, and not the log. 1,920 of 2,880.
    """

    def reads(number: int, cached: int, *texts: str, **fields: Any) -> dict[str, Any]:
        tokens = fields.pop("tokens", 2000)
        usage = {"prompt_tokens": tokens, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": cached}}
        return chat(number, *texts, usage=usage, **fields)

    rows = [
        reads(0, 1280, LONG),
        reads(1, 960, LONG, at_s=30),
        reads(2, 64, "hi", at_s=40, tokens=1000),
        reads(3, 1920, LONG, at_s=700),
    ]
    _, after = replayed(rows, State(cache=CacheSettings()))
    (said,) = after.summary["cache"]["calibration"]
    assert (said["recorded_read_tokens"], said["simulated_read_tokens"], said["hit_rate"]) == (4224, 1920, 1.0)
    assert [(each["requests"], each["read_tokens"]) for each in said["unpredictable"]] == [(1, 64), (1, 1280)]
    assert said["error_pct"] == pytest.approx(100 * (1920 - 2880) / 2880)
    assert said["row_error_pct"] == pytest.approx(100.0)


def test_a_provider_whose_calls_read_nothing_back_though_others_did_has_no_hits() -> None:
    """The first call's read came from before the log; the second could have read and did not."""
    usage = {"prompt_tokens": 2000, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1280}}
    rows = [chat(0, LONG, usage=usage), chat(1, LONG, at_s=30)]
    _, after = replayed(rows, State(cache=CacheSettings()))
    (said,) = after.summary["cache"]["calibration"]
    assert (said["hit_rate"], said["source"], said["error_pct"]) == (0.0, "the log", None)


def test_the_hit_rate_of_one_half_of_the_sessions_is_tried_on_the_other() -> None:
    """Every session's second call read 960 of 1,920 tokens: whichever half is held out, the other's rate is half."""
    usage = {"prompt_tokens": 2000, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 960}}
    rows = []
    for n in range(10):
        text, own = f"{n} {LONG}", {"session_id": f"s{n}"}
        rows += [chat(2 * n, text, **own), chat(2 * n + 1, text, at_s=9, usage=usage, **own)]
    _, after = replayed(rows, State(cache=CacheSettings()))
    (said,) = after.summary["cache"]["calibration"]
    assert (said["hit_rate"], said["held_out_error_pct"], said["row_error_pct"]) == (0.5, 0.0, 0.0)
