"""What another model would have answered in tokens: predicted from public outcomes, with how unsure that is."""

from simulator.counterfactual.calibrate import FEW, PairedSample, calibrate
from simulator.counterfactual.kinds import TASKS
from simulator.counterfactual.parameters import Parameters, Support
from simulator.counterfactual.predict import Prediction, TaskModel, fit_task, predict_output
from simulator.counterfactual.reasoning import predict_reasoning

__all__ = [
    "FEW",
    "TASKS",
    "PairedSample",
    "Parameters",
    "Prediction",
    "Support",
    "TaskModel",
    "calibrate",
    "fit_task",
    "predict_output",
    "predict_reasoning",
]
