"""What every router must keep to, whatever it is: run `check_router` over each one there is."""

import copy
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from problems import BackrouteError
from router import LLMRouter, Router


def check_router(make: Callable[[], Router], requests: pa.RecordBatch) -> None:
    """Raise AssertionError where a router breaks a rule of the house.

    Args:
        make: makes the router anew, alike each time.
        requests: some requests, among them some with nulls; their ids differ.
    """
    router = make()
    whole = router.route_batch(requests).chosen
    check_range(router, requests, whole)
    check_pure(router, requests, whole)
    check_alike_when_made_again(make, requests, whole)
    check_split(router, requests, whole)
    check_order(router, requests, whole)
    if isinstance(router, LLMRouter):
        check_live(router, requests, whole)


def check_range(router: Router, requests: pa.RecordBatch, whole: np.ndarray) -> None:
    """One decision a request, each a rule of the router's or -1 for undecidable; none for no requests."""
    assert whole.dtype == np.int32
    assert whole.shape == (requests.num_rows,)
    assert set(whole.tolist()) <= {-1, *range(len(router.rules))}
    assert router.route_batch(requests.slice(0, 0)).chosen.tolist() == []
    assert all(rule.provider and rule.model and rule.name for rule in router.rules)
    assert len({rule.name for rule in router.rules}) == len(router.rules)


def check_pure(router: Router, requests: pa.RecordBatch, whole: np.ndarray) -> None:
    """The same answer twice, the requests and the router left as they were."""
    before, rules, digest = requests.to_pydict(), router.rules, router.digest()
    # Writing into an answer must not reach the next one.
    router.route_batch(requests).chosen[:] = 99
    assert router.route_batch(requests).chosen.tolist() == whole.tolist()
    assert requests.to_pydict() == before
    assert (router.rules, router.digest()) == (rules, digest)


def check_alike_when_made_again(make: Callable[[], Router], requests: pa.RecordBatch, whole: np.ndarray) -> None:
    """A router made alike decides alike: nothing hangs on memory addresses, the clock or the process."""
    assert make().route_batch(requests).chosen.tolist() == whole.tolist()
    assert make().digest() == make().digest()


def check_split(router: Router, requests: pa.RecordBatch, whole: np.ndarray) -> None:
    """The whole batch, parts of it and one by one come out the same; slices carry offsets, which is a trap."""
    for size in (1, 2, 7):
        parts = [router.route_batch(requests.slice(start, size)).chosen for start in range(0, requests.num_rows, size)]
        assert np.concatenate(parts).tolist() == whole.tolist(), f"in parts of {size}"


def check_order(router: Router, requests: pa.RecordBatch, whole: np.ndarray) -> None:
    """No request's decision hangs on those before it."""
    backwards = np.arange(requests.num_rows)[::-1].copy()
    assert router.route_batch(requests.take(pa.array(backwards))).chosen.tolist() == whole[backwards].tolist()


def check_live(router: LLMRouter, requests: pa.RecordBatch, whole: np.ndarray) -> None:
    """Live, each request gets the rule that the column router gives it, or an error where that cannot decide."""
    for request, chosen in zip(requests.to_pylist(), whole.tolist(), strict=True):
        given = copy.deepcopy(request)
        try:
            decided = router.rules.index(router.route_one(request))
        except BackrouteError:
            decided = -1
        assert decided == chosen, request
        assert request == given
