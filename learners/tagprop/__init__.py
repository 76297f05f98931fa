"""TagProp and the metric that it learns: training compiles and uses scipy, answering neither."""

from learners.tagprop.learner import TagProp, VoteWeights

__all__ = ["TagProp", "VoteWeights"]
