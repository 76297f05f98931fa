"""The training pictures of an exercise, for learners that mix what others say of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.exercises import Exercise, Questions
from learners.base import Batch, Needs, TagLearner
from learners.hybrid.crossfit import Material, Member, crossfit
from learners.tag_matrix import TagMatrix

if TYPE_CHECKING:
    from benchmarks.solving import Fitted

__all__ = ["TrainingMaterial"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingMaterial(Material["Fitted"]):
    """Lets members of a mixture be fitted on parts of an exercise, and asked about the rest.

    Parameters
    ----------
    exercise : Exercise
    solver : callable
        Fits a learner of a name and hyper-parameters on an exercise.
    """

    exercise: Exercise
    solver: Callable[[str, Mapping[str, Any], Exercise], "Fitted"]

    def member(
        self, name: str, params: Mapping[str, Any], seed: int
    ) -> "tuple[Member[Fitted], float]":
        """Return a member of a mixture, and the seconds that it took; fitted once an exercise.

        Parameters
        ----------
        name : str
            Key of :data:`learners.table.LEARNERS`.
        params : mapping
            Its hyper-parameters.
        seed : int
        """
        key = name, repr(sorted(params.items())), str(seed)
        if key not in self.exercise.kept:
            started = time.perf_counter()
            found = crossfit(self, name, params, seed=seed)
            self.exercise.kept[key] = found, time.perf_counter() - started
        kept: tuple[Member[Fitted], float] = self.exercise.kept[key]
        return kept

    @property
    def tags(self) -> TagMatrix:
        """The tagged pictures."""
        return self.exercise.training.tags

    @property
    def groups(self) -> NDArray[np.int64]:
        """What the bytes of each picture are, int64 (n_images,); -1 = not known."""
        return self.exercise.training.groups

    def fit(self, name: str, params: Mapping[str, Any], places: NDArray[np.int64]) -> "Fitted":
        """Fit a learner on the pictures at some places; the others are its questions."""
        exercise = self.exercise
        training, given = exercise.training, exercise.training_inputs
        if places.size == training.n_images:
            return self.solver(name, params, exercise)
        others = np.setdiff1d(np.arange(training.n_images), places)
        rest = training.take(others)
        part = Exercise(
            training=training.take(places),
            questions=Questions(
                image_ids=rest.image_ids,
                features=rest.features,
                given=None if given is None else given.take(others),
                pictures=rest.pictures,
            ),
            completion=exercise.completion,
            training_inputs=None if given is None else given.take(places),
        )
        return self.solver(name, params, part)

    def learner(self, fitted: "Fitted") -> TagLearner:
        """Return the learner itself."""
        return fitted.learner

    def scores(self, fitted: "Fitted", places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score training pictures, float32 (n_places, n_tags); none votes for itself."""
        learner, part = fitted.learner, fitted.exercise
        if part is not self.exercise:
            rows = self.tags.rows[places]
            asked = np.setdiff1d(self.tags.rows, part.training.tags.rows)
            return fitted.answer().scores[np.searchsorted(asked, rows)]
        neighbors = None
        if Needs.NEIGHBORS in learner.needs:
            n_named = getattr(learner, "n_neighbors", self.tags.n_images)
            neighbors = part.training_neighbors(n_named)
        return learner.predict_scores(Batch(neighbors=neighbors))[places]
