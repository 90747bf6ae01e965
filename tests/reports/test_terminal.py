import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from reports import print_report
from tests.reports.samples import SAMPLES, as_logged, good, large, loss

GOLDEN = """\
Routing would have saved 63.2%
812,430 requests, 2026-06-01 to 2026-06-30

Spent, as logged           $4,812.33
With routing (june rules)  $1,771.02
Saving                     $3,041.31, 63.2% less
                           90% interval: 58.0% to 67.2% less
Coverage                   98.7% of 812,430 requests, 99.96% of the logged spend
Quality                    not checked: whether the answers would have been as
                           good is not known
Prompt caches              not simulated (its calls have no times): what stays
                           on its model keeps its cached input, what moves has
                           none. The saving may be overstated by up to $44.90 or
                           understated by up to $10.75
Raises the bill            code → anthropic/claude-sonnet-4-5 adds $105.00 on
                           40,622 requests
Rests most on              answer length of groq/llama-3.1-8b-instant: 1.26
                           times that of gpt-4o, give or take 27% from task to
                           task; source: 805 AlpacaEval prompts, counted with
                           o200k (58.3% of the saving rests on it)
                           answer length of openai/gpt-4o-mini: 0.99 times that
                           of gpt-4o; source: 805 AlpacaEval prompts, counted
                           with o200k (24.1% of the saving rests on it)
                           prompt tokens on groq/llama-3.1-8b-instant: recounted
                           at 1.04 times those of gpt-4o; source: 55.7 MB of
                           public text (17.6% of the saving rests on it)

By rule                        Requests   Baseline     Routed     Saving
simple_chat                     487,458  $2,190.20     $61.77  $2,128.43
  groq/llama-3.1-8b-instant
analytics                       203,107  $1,102.13     $84.25  $1,017.88
  openai/gpt-4o-mini
default                          81,243    $820.00    $820.00      $0.00
  openai/gpt-4o
code                             40,622    $700.00    $805.00   -$105.00
  anthropic/claude-sonnet-4-5
total                           812,430  $4,812.33  $1,771.02  $3,041.31

Why routing costs otherwise than with the baseline      Saves
Longer or shorter answers and prompts                -$211.40
Other prices per token                              $3,310.11
Prompt caching and service tiers                      -$44.90
Cost of routing itself                                -$12.50
Retries and fallbacks                                   $0.00
Together                                            $3,041.31

Problems and coverage
Set aside      37 rows: 30 duplicate, 7 not json (listed in problems.jsonl)
Not servable   118 requests the chosen model cannot serve
Left out       412 requests that can be priced and served only with the baseline
Priced         99.2% of requests have a price in every arm
Counted        100% of requests have known token counts in every arm
Counted by     the provider 31.4%, a tokenizer 45.2%, an estimate 23.4% of the
               routed spend
Recorded cost  the log records $4,799.12; recomputed from prices, 0.3% more
"""


def printed(summary: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_report(summary, console)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_report_reads_as_it_always_did() -> None:
    """Rules: 61.77 + 84.25 + 820.00 + 805.00 = 1,771.02; steps: -211.40 + 3,310.11 - 44.90 - 12.50 = 3,041.31."""
    assert printed(good()) == GOLDEN


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [80, 200])
def test_no_line_is_wider_than_eighty_columns(name: str, width: int) -> None:
    assert max(cell_len(line) for line in printed(SAMPLES[name](), width).splitlines()) <= 80


def test_the_answer_comes_in_the_first_lines_with_what_it_rests_on() -> None:
    head = " ".join(printed(good()).split("By rule")[0].split())
    order = [
        "saved 63.2%", "$4,812.33", "$1,771.02", "$3,041.31, 63.2% less", "90% interval: 58.0% to 67.2% less",
        "Coverage", "Quality not checked", "Raises the bill", "Rests most on answer length of groq",
    ]  # fmt: skip
    places = [head.index(part) for part in order]
    assert places == sorted(places)


def test_a_loss_and_a_hypothetical_baseline_are_called_what_they_are() -> None:
    assert "Extra cost" in printed(loss())
    said = printed(as_logged())
    assert "Hypothetical: with always openai/gpt-4o" in said
    assert "Why routing costs otherwise than as logged" in said
    assert said.index("$660,000, 5.5% less") < said.index("Hypothetical")


def test_names_from_the_log_are_never_read_as_markup() -> None:
    assert "[red]$a^2$" in printed(loss())
    assert "\x07" not in printed(loss())


def test_the_total_adds_up_all_rules_and_not_only_those_shown() -> None:
    said = printed(large())
    assert "(28 more rows in summary.json)" in said
    assert "$427,854" in said.split("total")[1].splitlines()[0]
