import numpy as np
import pyarrow as pa

from simulator.sums.bootstrap import BUCKETS, bucket_of, row_keys, weights


def test_weights_are_poisson_with_mean_and_variance_one() -> None:
    """200 x 5,000 draws: the mean's standard error is 0.001, the variance's about 0.0017."""
    drawn = weights(np.arange(5_000, dtype=np.uint64), seed=1)
    assert abs(drawn.mean() - 1) < 0.005
    assert abs(drawn.astype(float).var() - 1) < 0.01
    assert abs((drawn == 0).mean() - np.exp(-1)) < 0.003


def test_replicates_are_independent_of_each_other() -> None:
    drawn = weights(np.arange(20_000, dtype=np.uint64), seed=1).astype(float)
    correlations = np.corrcoef(drawn[:, :40].T)[np.triu_indices(40, 1)]
    assert np.abs(correlations).max() < 0.04


def test_a_key_has_the_same_weights_wherever_it_stands() -> None:
    keys = np.array([5, 9, 5, 1], np.uint64)
    drawn = weights(keys, seed=3)
    assert (drawn[0] == drawn[2]).all()
    assert (weights(keys[::-1], seed=3) == drawn[::-1]).all()
    assert (weights(keys[1:2], seed=3) == drawn[1:2]).all()


def test_another_seed_draws_other_weights() -> None:
    keys = np.arange(100, dtype=np.uint64)
    assert (weights(keys, 0) != weights(keys, 1)).any()


def test_requests_of_a_session_share_a_key_and_others_have_their_own() -> None:
    keys = row_keys(pa.array(["s", None, "s", None]), pa.array(["a", "b", "c", "d"]))
    assert keys[0] == keys[2]
    assert len(set(keys.tolist())) == 3


def test_sessions_spread_evenly_over_the_buckets_and_keep_theirs() -> None:
    """40,960 keys in 2,048 buckets: 20 each, with a variance of 20."""
    keys = np.arange(20 * BUCKETS, dtype=np.uint64)
    held = np.bincount(bucket_of(keys), minlength=BUCKETS)
    assert len(held) == BUCKETS
    assert abs(held.var() - 20) < 3
    assert (bucket_of(keys[::-1])[::-1] == bucket_of(keys)).all()


def test_buckets_cover_as_sessions_do() -> None:
    """4,000 uneven sessions: the sd of the resampled ratio is the same either way, within the noise of 200 draws."""
    rng = np.random.default_rng(5)
    base = rng.lognormal(0, 1, 4_000)
    routed = np.where(rng.random(4_000) < 0.5, 0.1, 1.0) * base
    keys = rng.integers(0, 2**64, 4_000, dtype=np.uint64)
    own = weights(keys, 0).astype(float)
    shared = weights(np.arange(BUCKETS, dtype=np.uint64), 0).astype(float)
    sums = [np.bincount(bucket_of(keys), arm, BUCKETS) for arm in (base, routed)]
    by_session, by_bucket = (routed @ own) / (base @ own), (sums[1] @ shared) / (sums[0] @ shared)
    assert abs(by_bucket.std() / by_session.std() - 1) < 0.2
