"""What went wrong, said one way: data problems are collected, configuration errors are raised."""

from problems.error import BackrouteError, Mistakes, nearest
from problems.problem import HeldProblems, Problem, ProblemLog

__all__ = ["BackrouteError", "HeldProblems", "Mistakes", "Problem", "ProblemLog", "nearest"]
