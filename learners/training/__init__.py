"""Training of networks: the only loop of this project, for every one of them.

A module that trains says what it wants in :class:`TrainingSettings`, hands over its network,
its pictures (:class:`Examples`) and a loss, and gets the network back at its best.
Importing this package does not import torch; training does.
"""

from learners.training.loop import EpochReport, Training, train
from learners.training.material import ArrayExamples, Examples, hold_out, predict, seeded
from learners.training.pixels import Augmentation, PixelExamples
from learners.training.plans import PLANS, TrainingPlan, training_plan
from learners.training.settings import Optimizer, Precision, Schedule, StopBy, TrainingSettings

__all__ = [
    "PLANS",
    "ArrayExamples",
    "Augmentation",
    "EpochReport",
    "Examples",
    "Optimizer",
    "PixelExamples",
    "Precision",
    "Schedule",
    "StopBy",
    "Training",
    "TrainingPlan",
    "TrainingSettings",
    "hold_out",
    "predict",
    "seeded",
    "train",
    "training_plan",
]
