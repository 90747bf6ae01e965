"""Was it as good: sampled live calls within a cap, judged, with a verdict that may be looked at early."""

from quality.calls import Tariff
from quality.check import LEVEL, Check, Result, scoring_of
from quality.gold import is_right, read_gold
from quality.journal import Journal
from quality.judge import Judge, favours
from quality.pairs import Pair, paired_samples
from quality.plan import Plan, make_plan
from quality.redact import Redactor
from quality.scoring import ByFunction, ByGold, ByJudge, load_scorer
from quality.verdict import Finding, Verdict, summary_quality

__all__ = [
    "LEVEL",
    "ByFunction",
    "ByGold",
    "ByJudge",
    "Check",
    "Finding",
    "Journal",
    "Judge",
    "Pair",
    "Plan",
    "Redactor",
    "Result",
    "Tariff",
    "Verdict",
    "favours",
    "is_right",
    "load_scorer",
    "make_plan",
    "paired_samples",
    "read_gold",
    "scoring_of",
    "summary_quality",
]
