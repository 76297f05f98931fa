"""Suites: which data, which protocols, which methods."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.protocols import FEW_SIZES, Completion, Protocol
from indexing.errors import InputError
from learners.settings import parse_settings
from learners.table import LEARNERS, make_learner

__all__ = ["DEFAULT_DATA", "SUITES", "FeatureKind", "Method", "Suite", "open_suite"]

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Where the data sets lie unless somebody says otherwise: beside the repository."""


class FeatureKind(StrEnum):
    """Which features a method sees."""

    DEEP = "deep"
    BAG_OF_WORDS = "bag-of-words"


@dataclass(frozen=True, kw_only=True)
class Method:
    """A learner as one row of a table.

    Parameters
    ----------
    name : str
        As it stands in the results.
    learner : str
        Key of :data:`learners.table.LEARNERS`.
    features : FeatureKind, default=FeatureKind.DEEP
    fixed : tuple of (str, value)
        Hyper-parameters that are not chosen.
    """

    name: str
    learner: str
    features: FeatureKind = FeatureKind.DEEP
    fixed: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, name: str) -> "Method":
        """Return the method of a name: ``LEARNER[:key=value]...[/bag-of-words]``.

        Raises
        ------
        InputError
            If there is no such learner, no such features, or the learner does not take one of
            the values.

        Examples
        --------
        >>> Method.of("knn:n_neighbors=5:weights=similarity/bag-of-words").fixed
        (('n_neighbors', 5), ('weights', 'similarity'))
        """
        ending = f"/{FeatureKind.BAG_OF_WORDS}"
        learner, *texts = name.removesuffix(ending).split(":")
        if learner not in LEARNERS:
            raise InputError(
                f"no method is called {name!r}; there are {', '.join(sorted(LEARNERS))}, each "
                f"with settings behind it or not, such as knn:n_neighbors=5, and with {ending} or "
                "not; choose among them"
            )
        settings = parse_settings(texts)
        if settings:
            make_learner(learner, **settings)  # it says what it does not accept
        features = FeatureKind.BAG_OF_WORDS if name.endswith(ending) else FeatureKind.DEEP
        return cls(name=name, learner=learner, features=features, fixed=tuple(settings.items()))


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What ``engine bench NAME`` runs.

    Parameters
    ----------
    name, about : str
    reader : str or None
        Format of the corpus; None = planted by :func:`benchmarks.planted.planted`.
    folder : str
        Name of the data set's folder.
    methods : tuple of str
        Names of the methods it runs by default.
    protocols : tuple of Protocol
    has_pictures : bool, default=True
        False = tags are all there is.
    """

    name: str
    about: str
    reader: str | None
    folder: str
    methods: tuple[str, ...]
    protocols: tuple[Protocol, ...] = field(default_factory=lambda: (Protocol(),))
    has_pictures: bool = True

    def with_folds(self, n_folds: int) -> "Suite":
        """Return the suite on folds of the training split: no other split is looked at."""
        return replace(
            self, protocols=tuple(replace(one, n_folds=n_folds) for one in self.protocols)
        )

    def with_seed(self, seed: int) -> "Suite":
        """Return the suite with other draws."""
        return replace(self, protocols=tuple(replace(one, seed=seed) for one in self.protocols))

    def chosen(self, names: Sequence[str] | None) -> tuple[tuple[Method, ...], tuple[str, ...]]:
        """Return the methods to run, and the names of default ones that do not exist here.

        Raises
        ------
        InputError
            If a method that was asked for by name does not exist.
        """
        if names is not None:
            return tuple(map(Method.of, dict.fromkeys(names))), ()
        missing = tuple(name for name in self.methods if re.split("[:/]", name)[0] not in LEARNERS)
        return tuple(Method.of(name) for name in self.methods if name not in missing), missing


_BASELINES = ("random", "frequency", "copy", "knn", "tagvote", "2pknn", "cca-knn")
_PROPAGATION = (
    *("knn", "tagvote", "cca-knn"),
    *(f"tagprop:weights={weights}" for weights in ("rank", "distance", "distances", "metric")),
    *("knn/bag-of-words", "tagvote/bag-of-words", "tagprop:weights=distance/bag-of-words"),
)
_ON_TAGS = ("random", "frequency", "copy", "knn", "tagvote")
_READ_MORE = frozenset({"multimodal", "mscnn"})
"""Learners that read tags as input, or pixels: the made-up pictures have neither."""
_COMPLETION = (Protocol(completion=Completion()),)

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            name="corel5k",
            about="Corel-5K: 4,500 pictures to learn from, 499 asked about, 260 labels",
            reader="corel5k",
            folder="corel5k",
            methods=(*_BASELINES, "knn/bag-of-words"),
        ),
        Suite(
            name="corel5k-propagation",
            about="Corel-5K: TagProp with given and with learned distances, beside its elders",
            reader="corel5k",
            folder="corel5k",
            methods=_PROPAGATION,
        ),
        Suite(
            name="corel5k-few",
            about="Corel-5K with 1, 2, 5, 10 and 50 training pictures a label",
            reader="corel5k",
            folder="corel5k",
            methods=("frequency", "copy", "knn", "tagvote", "2pknn", "cca-knn"),
            protocols=tuple(Protocol(n_examples=n) for n in FEW_SIZES),
        ),
        Suite(
            name="espgame-tags",
            about="ESP Game, tags alone: half of a picture's tags given, the others asked",
            reader="espgame",
            folder="espgame-tags",
            methods=_ON_TAGS,
            protocols=_COMPLETION,
            has_pictures=False,
        ),
        Suite(
            name="iaprtc12-tags",
            about="IAPR TC-12, tags alone: half of a picture's tags given, the others asked",
            reader="iaprtc12",
            folder="iaprtc12-tags",
            methods=_ON_TAGS,
            protocols=_COMPLETION,
            has_pictures=False,
        ),
        Suite(
            name="smoke",
            about="520 made-up pictures in a few seconds: do all run that read no tags or pixels?",
            reader=None,
            folder="",
            methods=tuple(sorted(set(LEARNERS) - _READ_MORE)),
            protocols=(Protocol(),),
        ),
    )
}
"""Name of each suite -> the suite."""


def open_suite(name: str) -> Suite:
    """Return a suite by name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in SUITES:
        raise InputError(f"no suite is called {name!r}; there are {', '.join(SUITES)}; choose one")
    return SUITES[name]
