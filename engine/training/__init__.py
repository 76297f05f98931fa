"""Train a learner on the tagged pictures of a workspace: what ``engine train`` does."""

from engine.training.running import train_workspace
from engine.training.trainable import ChoosesParams

__all__ = ["ChoosesParams", "train_workspace"]
