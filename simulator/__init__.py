"""What would have happened: scenarios, replay, counterfactual usage, savings."""

from simulator.replay import replay
from simulator.result import ReplayResult, Savings
from simulator.scenario import Assumptions, Scenario

__all__ = ["Assumptions", "ReplayResult", "Savings", "Scenario", "replay"]
