import numpy as np
import pyarrow as pa

from simulator.bootstrap import row_keys, weights


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
