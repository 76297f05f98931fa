"""A method at work on an exercise: fitted on the training pictures, asked the questions."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmarks.exercises import Exercise
from benchmarks.mixing import TrainingMaterial
from benchmarks.pictures import Pictures
from benchmarks.searching import Search
from benchmarks.word_space import tag_vectors
from engine.serving import MixesMembers
from engine.training import ChoosesParams
from indexing.errors import InputError
from indexing.index import Neighbors
from learners.base import Batch, Needs, Progress, TagLearner
from learners.framing import framing_of
from learners.table import learner_class, make_learner
from learners.tag_matrix import TagMatrix
from learners.votes import voters
from learners.voting import NeighborVoting

__all__ = ["Fitted", "PredictsQuantity", "Solution", "fit", "solve"]


@runtime_checkable
class PredictsQuantity(Protocol):
    """A learner that says how many tags a picture should get."""

    def predict_quantities(self, batch: Batch) -> NDArray[np.float64]:
        """Return the number of tags of each picture, unrounded, float64 (n_queries,)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """What a method answers.

    Parameters
    ----------
    scores : ndarray of float32, shape (n_questions, n_tags)
        As the learner gave them.
    tie_breaks : tuple of ndarray
        As the learner gave them.
    quantities : ndarray of float64, shape (n_questions,), or None
        Where the learner predicts them.
    params : dict
        All hyper-parameters of the learner.
    fit_seconds, predict_seconds : float
        The search for neighbours included, on the side that needed it, though methods share
        its result.
    is_of_the_rest : bool, default=False
        Whether the quantities are of the tags beside those that the questions told.
    """

    scores: NDArray[np.float32]
    tie_breaks: tuple[NDArray[np.generic], ...]
    quantities: NDArray[np.float64] | None
    params: dict[str, Any]
    fit_seconds: float
    predict_seconds: float
    is_of_the_rest: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A learner that has learned from the training pictures of an exercise.

    Parameters
    ----------
    learner : TagLearner
    exercise : Exercise
    fit_seconds : float
    search : Search or None
        Where its neighbours come from: the exercise's, or one in the learner's own space.
        None = it asks for none.
    members : mapping of str to Fitted
        The learners that it mixes, by name.
    """

    learner: TagLearner
    exercise: Exercise
    fit_seconds: float
    search: Search | None
    members: Mapping[str, "Fitted"] = field(default_factory=dict)

    def with_params(self, params: Mapping[str, Any]) -> "Fitted":
        """Return what was learned with other `predict_params`."""
        return dataclasses.replace(self, learner=self.learner.with_params(**params))

    def answer(self) -> Solution:
        """Ask the questions of the exercise."""
        learner = self.learner
        batch = _question_batch(learner, self.exercise, self.search)
        asked = {name: member.answer() for name, member in self.members.items()}
        if asked:
            scores_of_members = {name: solution.scores for name, solution in asked.items()}
            batch = dataclasses.replace(batch, scores=scores_of_members)
        started = time.perf_counter()
        scores = learner.predict_scores(batch)
        tie_breaks = learner.tie_breaks(batch)
        quantities = (
            learner.predict_quantities(batch) if isinstance(learner, PredictsQuantity) else None
        )
        predict_seconds = time.perf_counter() - started
        predict_seconds += sum(solution.predict_seconds for solution in asked.values())
        if self.search is not None:
            predict_seconds += self.search.seconds["questions"]
        return Solution(
            scores=scores,
            tie_breaks=tie_breaks,
            quantities=quantities,
            params=_settled(learner),
            fit_seconds=self.fit_seconds,
            predict_seconds=predict_seconds,
            is_of_the_rest=_completes(learner, self.exercise),
        )


def _settled(learner: TagLearner) -> dict[str, Any]:
    """Return the hyper-parameters, with what the learner chose itself while it was fitted."""
    chosen = learner.refit_params() if isinstance(learner, ChoosesParams) else {}
    return {**learner.params(), **chosen}


def fit(
    learner: str,
    params: Mapping[str, Any],
    exercise: Exercise,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> Fitted:
    """Fit a learner on the training pictures of an exercise.

    Parameters
    ----------
    learner : str
        A key of :data:`learners.table.LEARNERS`.
    params : mapping
        Its hyper-parameters; the others have their defaults.
    exercise : Exercise
    seed : int
        For a learner that has a hyper-parameter `seed`.
    on_progress : callable, optional
        Called with (stage, done, total) by learners that take long.

    Raises
    ------
    InputError
        If the learner needs what an exercise does not hold.
    CorpusError
        If it looks at pictures, and one of them cannot be read.
    """
    kind = learner_class(learner)
    if any(spec.name == "seed" and spec.init for spec in dataclasses.fields(kind)):
        params = {"seed": seed, **params}
    made = make_learner(learner, **params)
    training_batch = _training_batch(made, exercise, on_progress)
    started = time.perf_counter()
    members: dict[str, Fitted] = {}
    member_seconds = 0.0
    if isinstance(made, MixesMembers):
        solver = partial(fit, seed=seed, on_progress=on_progress)
        material = TrainingMaterial(exercise=exercise, solver=solver)
        found = {
            name: material.member(name, settings, seed)
            for name, settings in made.member_params().items()
        }
        members = {name: member.fitted for name, (member, _) in found.items()}
        member_seconds = sum(seconds for _, seconds in found.values())
        unseen = {name: member.scores for name, (member, _) in found.items()}
        training_batch = dataclasses.replace(training_batch, scores=unseen)
        started = time.perf_counter()
    made.fit(training_batch, _supervision(made, exercise), on_progress)
    fit_seconds = time.perf_counter() - started + member_seconds
    if Needs.NEIGHBORS in made.fit_needs:
        fit_seconds += exercise.search.seconds["training"]
    search = None
    if Needs.NEIGHBORS in made.needs:
        space = made.space
        search = exercise.search if space is None else exercise.search.in_space(space)
    return Fitted(
        learner=made, exercise=exercise, fit_seconds=fit_seconds, search=search, members=members
    )


def solve(
    learner: str,
    params: Mapping[str, Any],
    exercise: Exercise,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> Solution:
    """Fit a learner on the training pictures of an exercise and ask it the questions.

    Parameters and errors are those of :func:`fit`.
    """
    return fit(learner, params, exercise, seed=seed, on_progress=on_progress).answer()


def _training_batch(learner: TagLearner, exercise: Exercise, on_progress: Progress | None) -> Batch:
    training = exercise.training
    needs = learner.fit_needs
    reads_features, looks = Needs.FEATURES in needs, Needs.PIXELS in needs
    vectors = training.vectors if reads_features else None
    if exercise.training_inputs is not None and _completes(learner, exercise):
        vectors = exercise.training_inputs.toarray().astype(np.float32)
    return Batch(
        features=vectors,
        pixels=_pixels(training.pictures, learner, on_progress) if looks else None,
        groups=training.groups if reads_features or looks else None,
        blocks=training.blocks if reads_features else None,
        neighbors=_training_neighbors(learner, exercise) if Needs.NEIGHBORS in needs else None,
        tags=_inputs(exercise.training_inputs, learner) if Needs.TAGS in needs else None,
        words=tag_vectors(training.vocabulary) if Needs.WORDS in needs else None,
        directions=training.directions if Needs.WORDS in needs else None,
    )


def _completes(learner: TagLearner, exercise: Exercise) -> bool:
    """Whether a learner of vectors is fitted to the tags that are left of those that are given.

    Where tags are all that is known of a picture, to read all of them off themselves would be
    to learn nothing.
    """
    return (
        exercise.training.features is None
        and exercise.training_inputs is not None
        and Needs.FEATURES in learner.fit_needs
        and Needs.NEIGHBORS not in learner.fit_needs | learner.needs
    )


def _supervision(learner: TagLearner, exercise: Exercise) -> TagMatrix:
    tags, inputs = exercise.training.tags, exercise.training_inputs
    if inputs is None or not _completes(learner, exercise):
        return tags
    left = tags.toarray() & ~inputs.toarray()
    lists = [np.flatnonzero(row) for row in left]
    return TagMatrix.from_lists(tags.rows, lists, tags.n_tags, tags.owners)


def _training_neighbors(learner: TagLearner, exercise: Exercise) -> Neighbors:
    """Return as many neighbours of the training pictures as a learner is fitted with."""
    tags = exercise.training.tags
    n = _n_wanted(learner, tags.n_images)
    if not getattr(learner, "unique_owner", False):
        return exercise.training_neighbors(n)
    return _widened(
        exercise.training_neighbors,
        lambda found: bool(voters(found, tags, n, unique_owner=True).complete.all()),
        n,
        tags.n_images,
    )


def _question_batch(learner: TagLearner, exercise: Exercise, search: Search | None) -> Batch:
    questions = exercise.questions
    needs = learner.needs
    batch = Batch(
        features=questions.vectors if Needs.FEATURES in needs else None,
        pixels=_pixels(questions.pictures, learner) if Needs.PIXELS in needs else None,
        blocks=exercise.training.blocks if Needs.FEATURES in needs else None,
        neighbors=None if search is None else _enough_neighbors(learner, search),
        tags=_inputs(questions.given, learner) if Needs.TAGS in needs else None,
    )
    if not batch.n_queries:
        # A learner that reads nothing of the pictures must still know how many there are.
        batch = dataclasses.replace(batch, features=questions.vectors)
    return batch


def _pixels(
    pictures: Pictures | None, learner: TagLearner, on_progress: Progress | None = None
) -> NDArray[np.uint8]:
    if pictures is None:
        raise InputError(
            f"the learner {learner.name!r} looks at pictures, and this data set has none; data "
            "sets of pictures do; leave it out with --methods"
        )
    framing = framing_of(learner)
    return pictures.squares(framing, on_progress) if on_progress else pictures.squares(framing)


def _inputs(tags: TagMatrix | None, learner: TagLearner) -> TagMatrix:
    if tags is None:
        raise InputError(
            f"the learner {learner.name!r} reads tags as input, and this protocol gives none; "
            "protocols of tag completion do; leave it out with --methods"
        )
    return tags


def _enough_neighbors(learner: TagLearner, search: Search) -> Neighbors:
    """Return as many neighbours as a learner asks for; more where a vote needs them."""
    n_images = len(search.vectors)
    n = _n_wanted(learner, n_images)
    if not isinstance(learner, NeighborVoting):
        return search.neighbors(n)
    return _widened(
        search.neighbors,
        lambda found: bool(learner.voters(found).complete.all()),
        n,
        n_images,
    )


def _widened(
    fetch: Callable[[int], Neighbors],
    is_enough: Callable[[Neighbors], bool],
    n: int,
    n_images: int,
) -> Neighbors:
    """Fetch more until it is enough: voters can fail although neighbours do not, one an owner."""
    found = fetch(n)
    while not is_enough(found) and n < n_images:
        n = min(4 * n, n_images)
        found = fetch(n)
    return found


def _n_wanted(learner: TagLearner, n_images: int) -> int:
    """Return how many neighbours a learner names; all where it names no number."""
    named = getattr(learner, "n_neighbors", None)
    return min(named, n_images) if isinstance(named, int) else n_images
