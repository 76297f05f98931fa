"""What every learner is: fitted on tags, asked with a batch, answering with scores.

A learner names what it needs (:class:`Needs`); the caller puts just that into a
:class:`Batch`. Learners are found by name in :data:`LEARNERS`, so that a choice imports only
its own module.
"""

import dataclasses
import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError, NotFittedError
from learners.batch import Batch, Needs
from learners.tag_matrix import TagMatrix

__all__ = [
    "LEARNERS",
    "Batch",
    "Needs",
    "TagLearner",
    "TagMatrix",
    "learner_class",
    "make_learner",
]

LEARNERS: dict[str, str] = {
    "knn": "learners.voting:KNN",
    "tagvote": "learners.voting:TagVote",
    "2pknn": "learners.two_pass:TwoPassKNN",
    "cca-knn": "learners.cca_knn:CCAKNN",
    "copy": "learners.baselines:LabelTransfer",
    "frequency": "learners.baselines:TagFrequency",
    "random": "learners.baselines:RandomScores",
}
"""Name of each learner -> ``"module:attribute"``."""

STATE_FORMAT = 1


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
    """Key of the learner in :data:`LEARNERS`."""
    needs: ClassVar[Needs]
    """What :meth:`predict_scores` reads."""
    fit_needs: ClassVar[Needs] = Needs.NOTHING
    """What :meth:`fit` reads beside the tags."""
    predict_params: ClassVar[frozenset[str]] = frozenset()
    """Hyper-parameters that fitting does not read; see :meth:`with_params`."""
    grid: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Values worth trying, a hyper-parameter; one that is not named keeps its default."""

    n_tags_: int = field(init=False, repr=False)

    def fit(self, batch: Batch, tags: TagMatrix) -> Self:
        """Learn from tagged pictures.

        Parameters
        ----------
        batch : Batch
            What `fit_needs` names, one picture an image of `tags`, in its order.
        tags : TagMatrix
            The tagged pictures.

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
        if self.fit_needs and batch.n_queries != tags.n_images:
            raise InputError(
                f"a batch of {batch.n_queries} pictures with the tags of {tags.n_images}; fitting "
                "takes one picture an image of the tag matrix; cut them to the same pictures"
            )
        self._fit(batch, tags)
        self.n_tags_ = tags.n_tags
        return self

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

    def _sources(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        return {self.name: self.predict_scores(batch)}

    def _tie_breaks(self, batch: Batch) -> tuple[NDArray[np.generic], ...]:
        return ()


def learner_class(name: str) -> type[TagLearner]:
    """Import and return the learner of a name.

    Raises
    ------
    InputError
        If no learner has that name.
    """
    if name not in LEARNERS:
        raise InputError(
            f"no learner is called {name!r}; there are {', '.join(sorted(LEARNERS))}; choose one"
        )
    module, attribute = LEARNERS[name].split(":")
    kind: type[TagLearner] = getattr(importlib.import_module(module), attribute)
    return kind


def make_learner(name: str, **params: Any) -> TagLearner:
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
                "correct the name"
            )
    return kind(**params)


def _json_value(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)  # a StrEnum becomes plain text
    return value
