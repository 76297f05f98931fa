"""What every learner is: fitted on tags, asked with a batch, answering with scores.

A learner names what it needs (:class:`Needs`); the caller puts just that into a
:class:`Batch`. Learners are found by name in :mod:`learners.table`.
"""

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError, NotFittedError
from learners.batch import Batch, Needs
from learners.tag_matrix import TagMatrix

__all__ = [
    "Batch",
    "Needs",
    "Progress",
    "Space",
    "TagLearner",
    "TagMatrix",
]

STATE_FORMAT = 1

Space: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps vectors, float32 (n, n_dims), to those of a space of its own, float32 (n, n_out)."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0 = unknown)."""


@dataclass(kw_only=True, eq=False)
class TagLearner(ABC):
    """Learn from tagged pictures, score every tag of the vocabulary for others.

    Subclasses are dataclasses: hyper-parameters are their fields, what is learned ends in an
    underscore (``field(init=False)``), and they write the methods that start with ``_``. The
    public methods validate.

    Attributes
    ----------
    n_tags_ : int
        Size of the vocabulary that the learner was fitted on.
    """

    name: ClassVar[str]
    """Key of the learner in :data:`learners.table.LEARNERS`."""
    needs: ClassVar[Needs]
    """What :meth:`predict_scores` reads."""
    predict_params: ClassVar[frozenset[str]] = frozenset()
    """Hyper-parameters that fitting does not read; see :meth:`with_params`."""
    answers_new_tags: ClassVar[bool] = False
    """Whether, once :meth:`rebased`, it answers tags that it was not fitted on."""
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Values worth trying, a hyper-parameter; one that is not named keeps its default."""

    n_tags_: int = field(init=False, repr=False)
    _report: Progress = field(init=False, repr=False)

    @property
    def fit_needs(self) -> Needs:
        """What :meth:`fit` reads beside the tags; it may depend on hyper-parameters."""
        return Needs.NOTHING

    @property
    def space(self) -> Space | None:
        """Where a fitted learner that needs neighbours wants them looked up, by cosine distance.

        None = among the vectors as they are; else among what this makes of them.
        """
        return None

    def fit(self, batch: Batch, tags: TagMatrix, on_progress: Progress | None = None) -> Self:
        """Learn from tagged pictures.

        Parameters
        ----------
        batch : Batch
            What `fit_needs` names, one picture an image of `tags`, in its order.
        tags : TagMatrix
            The tagged pictures.
        on_progress : callable, optional
            Called with (stage, done, total) by learners that take long.

        Returns
        -------
        Self
            The learner itself.

        Raises
        ------
        InputError
            If `batch` lacks what the learner needs or does not match `tags`.
        """
        # A fit that fails halfway must not leave a learner that answers.
        self.__dict__.pop("n_tags_", None)
        self._check(batch, self.fit_needs)
        # All but the tags' own vectors is told of each picture.
        if self.fit_needs & ~Needs.WORDS and batch.n_queries != tags.n_images:
            raise InputError(
                f"a batch of {batch.n_queries} pictures with the tags of {tags.n_images}; fitting "
                "takes one picture an image of the tag matrix; cut them to the same pictures"
            )
        self._report = on_progress or _say_nothing
        try:
            self._fit(batch, tags)
        finally:
            del self._report
        self.n_tags_ = tags.n_tags
        return self

    def rebased(self, tags: TagMatrix, columns: NDArray[np.int64]) -> Self:
        """Return a learner that has learned the same, for pictures and tags as they are now.

        So pictures that come, go or are retagged need no training.

        Parameters
        ----------
        tags : TagMatrix
            The tagged pictures as they are now.
        columns : ndarray of int64, shape (tags.n_tags,)
            Which column each tag was when the learner was fitted; -1 = a tag that is new.

        Raises
        ------
        InputError
            If the learner has to be fitted again, or the columns do not fit.
        NotFittedError
            If the learner has not been fitted.
        """
        self._check_fitted()
        if columns.shape != (tags.n_tags,) or np.any(columns >= self.n_tags_):
            raise InputError(
                f"{columns.size} columns up to {columns.max(initial=-1)} for {tags.n_tags} tags of "
                f"a learner fitted on {self.n_tags_}; one column a tag, -1 where it is new, is "
                "accepted; look each tag up in the vocabulary of the fitting"
            )
        other = copy.copy(self)
        other._rebase(tags, columns)
        other.n_tags_ = tags.n_tags
        return other

    def predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        """Score every tag for every picture.

        Parameters
        ----------
        batch : Batch
            What `needs` names.

        Returns
        -------
        ndarray of float32, shape (n_queries, n_tags)
            Higher is better; comparable along rows (to tag) and columns (to retrieve).

        Raises
        ------
        NotFittedError
            If the learner has not been fitted.
        InputError
            If `batch` lacks what the learner needs.
        """
        self._check_fitted()
        self._check(batch, self.needs)
        if batch.n_queries == 0:
            return np.zeros((0, self.n_tags_), dtype=np.float32)
        return self._predict_scores(batch)

    def tie_breaks(self, batch: Batch) -> tuple[NDArray[np.generic], ...]:
        """Return what orders tags of equal score, most important first; higher is better.

        Parameters
        ----------
        batch : Batch
            What `needs` names.

        Returns
        -------
        tuple of ndarray, each of shape (n_queries, n_tags) or (n_tags,)
            For :func:`learners.ranking.rank_tags`; empty where the learner has none.

        Raises
        ------
        NotFittedError, InputError
            As :meth:`predict_scores`.
        """
        self._check_fitted()
        self._check(batch, self.needs)
        return self._tie_breaks(batch)

    def sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        """Return what each source adds to the scores: they sum to :meth:`predict_scores`.

        Parameters
        ----------
        batch : Batch
            What `needs` names.

        Returns
        -------
        dict of str to ndarray of float32, shape (n_queries, n_tags)
            One source, the learner itself, where it knows no parts.

        Raises
        ------
        NotFittedError, InputError
            As :meth:`predict_scores`.
        """
        self._check_fitted()
        self._check(batch, self.needs)
        return self._sources(batch)

    def params(self) -> dict[str, Any]:
        """Return the hyper-parameters as JSON knows them."""
        return {
            spec.name: _json_value(getattr(self, spec.name))
            for spec in dataclasses.fields(self)
            if spec.init
        }

    def with_params(self, **params: Any) -> Self:
        """Return a learner that has learned the same and answers with other hyper-parameters.

        Parameters
        ----------
        **params
            Those of `predict_params` that change.

        Raises
        ------
        InputError
            If a value is not accepted, or the learner would have to be fitted again.
        NotFittedError
            If the learner has not been fitted.
        """
        self._check_fitted()
        fixed = [name for name in params if name not in self.predict_params]
        if fixed:
            raise InputError(
                f"{', '.join(fixed)} of the learner {self.name!r} cannot change once it is fitted; "
                f"{', '.join(sorted(self.predict_params)) or 'nothing'} can; fit a new one"
            )
        other = type(self)(**{**self.params(), **params})
        learned = {name: value for name, value in vars(self).items() if name.endswith("_")}
        vars(other).update(learned)
        return other

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
        """Return all that :meth:`from_state` needs: a dict for JSON, arrays for ``numpy.savez``.

        Raises
        ------
        NotFittedError
            If the learner has not been fitted.
        """
        self._check_fitted()
        head = {
            "format": STATE_FORMAT,
            "learner": self.name,
            "n_tags": self.n_tags_,
            "params": self.params(),
        }
        return head, self._arrays()

    @classmethod
    def from_state(cls, head: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Rebuild a fitted learner; ``TagLearner.from_state`` takes any learner of the table.

        Parameters
        ----------
        head : mapping
            The dict of :meth:`state`.
        arrays : mapping of str to ndarray
            The arrays of :meth:`state`.

        Raises
        ------
        ArtifactError
            If the state is of another learner or version, or incomplete.
        """
        if head.get("format") != STATE_FORMAT:
            raise ArtifactError(
                f"a saved learner of format {head.get('format')!r}; this version reads "
                f"{STATE_FORMAT}; train the learner again"
            )
        from learners.table import make_learner

        try:
            learner = make_learner(str(head.get("learner")), **head["params"])
            n_tags = int(head["n_tags"])
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"a saved learner that cannot be read ({error}); train the learner again"
            ) from error
        if not isinstance(learner, cls):
            raise ArtifactError(
                f"a saved learner {learner.name!r} where a {cls.name!r} was expected; "
                "open it with TagLearner.from_state"
            )
        try:
            learner._restore(arrays)
        except KeyError as error:
            raise ArtifactError(
                f"a saved learner {learner.name!r} lacks the array {error}; train it again"
            ) from error
        found = getattr(learner, "tags_", None)
        if found is not None and found.n_tags != n_tags:
            raise ArtifactError(
                f"a saved learner {learner.name!r} of {n_tags} tags whose pictures have "
                f"{found.n_tags}; one vocabulary is accepted; train it again"
            )
        learner.n_tags_ = n_tags
        return learner

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_tags_"):
            raise NotFittedError(
                f"the learner {self.name!r} has not been fitted; scores come after fit; "
                "call fit(batch, tags) first"
            )

    def _check(self, batch: Batch, needs: Needs) -> None:
        for need in needs:
            input_name = str(need.name).lower()
            if getattr(batch, input_name) is None:
                given = [spec.name for spec in dataclasses.fields(batch)]
                given = [name for name in given if getattr(batch, name) is not None]
                raise InputError(
                    f"the learner {self.name!r} got {', '.join(given) or 'nothing'}; "
                    f"it needs {input_name}; give Batch({input_name}=...)"
                )

    @abstractmethod
    def _fit(self, batch: Batch, tags: TagMatrix) -> None:
        """Learn; the batch holds what `fit_needs` names."""

    @abstractmethod
    def _predict_scores(self, batch: Batch) -> NDArray[np.float32]:
        """Score; the batch holds what `needs` names and at least one picture."""

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what was learned."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take back what :meth:`_arrays` returned."""

    def _rebase(self, tags: TagMatrix, columns: NDArray[np.int64]) -> None:
        """Take other pictures and tags; what was learned must not be changed in place."""
        raise InputError(
            f"the learner {self.name!r} knows only the pictures and tags that it was fitted on; "
            "train it again"
        )

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        return {self.name: self.predict_scores(batch)}

    def _tie_breaks(self, batch: Batch) -> tuple[NDArray[np.generic], ...]:
        return ()


def _say_nothing(stage: str, done: int, total: int) -> None:
    pass


def _json_value(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)  # a StrEnum becomes plain text
    return value
