import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from problems import BackrouteError
from router import AlwaysUse, Random
from router.baselines import uniform
from tests.router.samples import batch

ROWS = 20_000
IDS = [f"req-{number}" for number in range(ROWS)]
REQUESTS = batch(*({"request_id": name} for name in IDS))


def test_always_use_names_its_one_model() -> None:
    always = AlwaysUse("openrouter/openai/gpt-4o")
    assert (always.rules[0].provider, always.rules[0].model) == ("openrouter", "openai/gpt-4o")
    assert always.route_batch(REQUESTS).chosen.tolist() == [0] * ROWS
    assert always.digest() != AlwaysUse("openai/gpt-4o").digest()


@pytest.mark.parametrize("model", ["gpt-4o", "", "/gpt-4o", "openai/", "openai/gpt 4o", None, 5])
def test_a_name_that_is_not_provider_and_model_is_refused(model: Any) -> None:
    for make in (lambda: AlwaysUse(model), lambda: Random({model: 1})):
        with pytest.raises(BackrouteError, match="not provider/model"):
            make()


@pytest.mark.parametrize("shares", [(1, 1), (6, 3, 1), (0.001, 0.999), (5,), (0, 1, 0), (1, 0)])
def test_random_keeps_to_its_shares_within_what_chance_allows(shares: tuple[float, ...]) -> None:
    """Five standard deviations of a binomial count; a share of 0 is never drawn."""
    routed = Random({f"openai/m{number}": share for number, share in enumerate(shares)}, seed=3)
    drawn = np.bincount(routed.route_batch(REQUESTS).chosen, minlength=len(shares))
    for count, share in zip(drawn, np.array(shares) / sum(shares), strict=True):
        assert abs(count - ROWS * share) <= 5 * math.sqrt(ROWS * share * (1 - share))


def test_the_same_request_draws_the_same_model_in_any_order_and_company() -> None:
    routed = Random({"openai/a": 1, "openai/b": 1})
    of = dict(zip(IDS, routed.route_batch(REQUESTS).chosen.tolist(), strict=True))
    some = list(reversed(IDS[500:900:7]))
    assert routed.route_batch(batch(*({"request_id": name} for name in some))).chosen.tolist() == [of[n] for n in some]


def test_another_seed_is_another_lottery() -> None:
    """Two fair lotteries agree on half of the requests: 10,000 ± 5 x 71."""
    first, second = (Random({"openai/a": 1, "openai/b": 1}, seed=seed) for seed in (1, 2))
    agree = (first.route_batch(REQUESTS).chosen == second.route_batch(REQUESTS).chosen).sum()
    assert abs(int(agree) - ROWS / 2) < 355
    assert first.digest() != second.digest()


def test_raising_a_share_only_moves_requests_towards_it() -> None:
    """Arms share each request's draw, so a sweep over shares compares like with like."""
    chosen = [
        Random({"openai/a": share, "openai/b": 1 - share}).route_batch(REQUESTS).chosen for share in (0.2, 0.5, 0.9)
    ]
    assert all((more <= less).all() for less, more in pairwise(chosen))


@pytest.mark.parametrize("shares", [{}, {"a/b": 0}, {"a/b": -1, "a/c": 2}, {"a/b": math.nan}, {"a/b": math.inf}])
def test_shares_that_make_no_lottery_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(BackrouteError, match="shares must be 0 or more"):
        Random(shares)


@given(keys=st.lists(st.text(max_size=8), max_size=20), seed=st.integers(-(2**70), 2**70))
def test_a_draw_lies_between_zero_and_one_and_hangs_on_key_and_seed_alone(keys: list[str], seed: int) -> None:
    drawn = uniform(np.array(keys, object), seed)
    assert ((drawn >= 0) & (drawn < 1)).all()
    assert drawn.tolist() == [uniform(np.array([key], object), seed)[0] for key in keys]


def test_a_share_begins_with_its_edge_and_ends_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares 0, 1/2, 1/2 and 0: the edges are 0, 0.5 and 1, and a draw of 0 must not go to a share of 0."""
    monkeypatch.setattr("router.baselines.uniform", lambda _ids, _seed: np.array([0.0, 0.4999, 0.5, 1 - 2**-53]))
    routed = Random({"p/none": 0, "p/half": 1, "p/rest": 1, "p/never": 0})
    assert routed.route_batch(REQUESTS.slice(0, 4)).chosen.tolist() == [1, 1, 2, 2]


def test_the_greatest_hash_is_still_below_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd.util, "hash_array", lambda _keys, **_: np.array([0, 2**64 - 1], np.uint64))
    assert uniform(np.array(["a", "b"], object), 0).tolist() == [0.0, 1 - 2**-53]
