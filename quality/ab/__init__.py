"""Experiments on live traffic: what the arms cost, with intervals that may be looked at every day."""

from quality.ab.analysis import Analysis, analyse
from quality.ab.looks import Looks, looks_of
from quality.ab.plan import AbPlan, plan_from_replay

__all__ = ["AbPlan", "Analysis", "Looks", "analyse", "looks_of", "plan_from_replay"]
