"""Decides which model answers a request: rules as data, live and in replay alike."""

from router.baselines import AlwaysUse, Cheapest, Random
from router.best_value import best_value
from router.conditions import Condition
from router.decision import Completion, Decision
from router.experiment import Arm, Experiment
from router.experiment_files import load_experiment
from router.features import Features
from router.fields import (
    estimated_cost_usd,
    has_images,
    has_tools,
    input_tokens,
    json_mode,
    latency_budget_ms,
    length,
    max_output_tokens,
    mentions,
    meta,
    model,
    n_messages,
    user_id,
)
from router.providers import Answer, BadRequest, ProviderFault
from router.rule_files import bundled_rules, dump_rules, load_rules, parse_rules, require_models
from router.rules import Decisions, LLMRouter, Router, RoutingRule
from router.scored import task, weak_suffices

__all__ = [
    "AlwaysUse",
    "Answer",
    "Arm",
    "BadRequest",
    "Cheapest",
    "Completion",
    "Condition",
    "Decision",
    "Decisions",
    "Experiment",
    "Features",
    "LLMRouter",
    "ProviderFault",
    "Random",
    "Router",
    "RoutingRule",
    "best_value",
    "bundled_rules",
    "dump_rules",
    "estimated_cost_usd",
    "has_images",
    "has_tools",
    "input_tokens",
    "json_mode",
    "latency_budget_ms",
    "length",
    "load_experiment",
    "load_rules",
    "max_output_tokens",
    "mentions",
    "meta",
    "model",
    "n_messages",
    "parse_rules",
    "require_models",
    "task",
    "user_id",
    "weak_suffices",
]
