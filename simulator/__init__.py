"""What would have happened: scenarios, replay, counterfactual usage, savings."""

from simulator.replay import replay
from simulator.result import ReplayResult, Savings
from simulator.scenario import Assumptions, Scenario
from simulator.state.settings import CacheSettings, State, load_state

__all__ = ["Assumptions", "CacheSettings", "ReplayResult", "Savings", "Scenario", "State", "load_state", "replay"]
