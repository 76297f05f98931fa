"""Learners by name; a choice imports only its own module."""

import dataclasses
import importlib
from typing import Any

from indexing.errors import InputError
from indexing.names import suggestion
from learners.base import TagLearner

__all__ = ["LEARNERS", "learner_class", "make_learner"]

LEARNERS: dict[str, str] = {
    "knn": "learners.voting:KNN",
    "tagvote": "learners.voting:TagVote",
    "tagprop": "learners.tagprop:TagProp",
    "2pknn": "learners.two_pass:TwoPassKNN",
    "cca-knn": "learners.cca_knn:CCAKNN",
    "heads": "learners.heads:Heads",
    "multimodal": "learners.multimodal:Multimodal",
    "mscnn": "learners.multiscale:MSCNN",
    "hybrid": "learners.hybrid:Hybrid",
    "words": "learners.words.fast0tag:Fast0Tag",
    "expansion": "learners.words.top_two:TopTwoExpansion",
    "copy": "learners.baselines:LabelTransfer",
    "frequency": "learners.baselines:TagFrequency",
    "random": "learners.baselines:RandomScores",
}
"""Name of each learner -> ``"module:attribute"``."""


def learner_class(name: str) -> type[TagLearner]:
    """Import and return the learner of a name.

    Raises
    ------
    InputError
        If no learner has that name.
    """
    if name not in LEARNERS:
        raise InputError(
            f"no learner is called {name!r}; there are {', '.join(sorted(LEARNERS))}; "
            + suggestion(name, LEARNERS)
        )
    module, attribute = LEARNERS[name].split(":")
    kind: type[TagLearner] = getattr(importlib.import_module(module), attribute)
    return kind


def make_learner(name: str, /, **params: Any) -> TagLearner:
    """Make an unfitted learner by name.

    Parameters
    ----------
    name : str
        A key of :data:`LEARNERS`.
    **params
        Its hyper-parameters.

    Raises
    ------
    InputError
        If the name or a parameter is unknown, or a value is not accepted.

    Examples
    --------
    >>> make_learner("knn", n_neighbors=7).params()
    {'n_neighbors': 7, 'weights': 'uniform'}
    """
    kind = learner_class(name)
    accepted = [spec.name for spec in dataclasses.fields(kind) if spec.init]
    for key in params:
        if key not in accepted:
            raise InputError(
                f"the learner {name!r} has no parameter {key!r}; it takes {', '.join(accepted)}; "
                + suggestion(key, accepted, otherwise="correct the name")
            )
    return kind(**params)
