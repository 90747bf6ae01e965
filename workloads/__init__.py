"""Requests in: the column contract, log readers, synthetic mixes."""

from workloads.log import Log, read_log
from workloads.schema import BUCKETS, INPUT_BUCKETS, MESSAGE, OUTCOME, OUTPUT_BUCKETS, PROVENANCES, REQUEST

__all__ = [
    "BUCKETS",
    "INPUT_BUCKETS",
    "MESSAGE",
    "OUTCOME",
    "OUTPUT_BUCKETS",
    "PROVENANCES",
    "REQUEST",
    "Log",
    "read_log",
]
