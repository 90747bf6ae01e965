"""What went wrong, said one way: data problems are collected, configuration errors are raised."""

from problems.error import BackrouteError, Mistakes, nearest
from problems.problem import Problem, ProblemLog

__all__ = ["BackrouteError", "Mistakes", "Problem", "ProblemLog", "nearest"]
