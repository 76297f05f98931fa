"""Suites: which data, which protocols, which methods."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.protocols import (
    FEW_SIZES,
    Completion,
    Emission,
    Emit,
    JudgedTags,
    Protocol,
    Unseen,
)
from engine.serving import MixesMembers
from indexing.errors import InputError
from learners.base import Needs
from learners.settings import parse_settings
from learners.table import LEARNERS, make_learner

__all__ = ["DEFAULT_DATA", "SUITES", "Beside", "FeatureKind", "Method", "Suite", "open_suite"]

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Where the data sets lie unless somebody says otherwise: beside the repository."""


_TOGETHER = "+together"
_ALBUM_SIZE = 6


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
    label : str, default=""
        What it is called in the tables, if not by its name.
    together : bool, default=False
        Whether the pictures of an album share evidence (:class:`learners.together.Together`).
    """

    name: str
    learner: str
    features: FeatureKind = FeatureKind.DEEP
    fixed: tuple[tuple[str, Any], ...] = ()
    label: str = ""
    together: bool = False

    @property
    def reads_words(self) -> bool:
        """Whether it, or a learner that it mixes, is fitted with the vectors of the tags."""
        made = make_learner(self.learner, **dict(self.fixed))
        mixed = made.member_params() if isinstance(made, MixesMembers) else {}
        members = [make_learner(name, **params) for name, params in mixed.items()]
        return any(Needs.WORDS in learner.fit_needs for learner in (made, *members))

    @property
    def shown(self) -> str:
        """What it is called in the tables."""
        return self.label or self.name

    @classmethod
    def of(cls, name: str) -> "Method":
        """Return the method of a name: ``LEARNER[:key=value]...[+together][/bag-of-words]``.

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
        one_by_one = name.removesuffix(ending).removesuffix(_TOGETHER)
        learner, *texts = one_by_one.split(":")
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
        return cls(
            name=name,
            learner=learner,
            features=features,
            fixed=tuple(settings.items()),
            together=name.removesuffix(ending).endswith(_TOGETHER),
        )


@dataclass(frozen=True)
class Beside:
    """Published numbers on another data set that a suite is shown with."""

    dataset: str
    source: str


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
    labels : mapping of str to str, optional
        What methods are called in the tables, where not by their names.
    beside : Beside, optional
        Published numbers on another data set, where the suite does there what they did.
    """

    name: str
    about: str
    reader: str | None
    folder: str
    methods: tuple[str, ...]
    protocols: tuple[Protocol, ...] = field(default_factory=lambda: (Protocol(),))
    has_pictures: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    beside: Beside | None = None

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
        missing = tuple(name for name in self.methods if re.split("[:/+]", name)[0] not in LEARNERS)
        chosen = (Method.of(name) for name in self.methods if name not in missing)
        return tuple(replace(one, label=self.labels.get(one.name, "")) for one in chosen), missing


_BASELINES = ("random", "frequency", "copy", "knn", "tagvote", "2pknn", "cca-knn")
_PROPAGATION = (
    *("knn", "tagvote", "cca-knn"),
    *(f"tagprop:weights={weights}" for weights in ("rank", "distance", "distances", "metric")),
    *("knn/bag-of-words", "tagvote/bag-of-words", "tagprop:weights=distance/bag-of-words"),
)
_AS_MEMBERS = (
    "knn:n_neighbors=5",
    "tagprop:weights=metric:sigmoids=false",
    "heads:prior_correction=0",
    "words",
)
"""The learners that the hybrid mixes, as it has them."""
_LEFT_OUT = ("tagprop,heads,words", "knn,heads,words", "knn,tagprop,words", "knn,tagprop,heads")
_MIXED = (
    *("hybrid", "hybrid:goal=miap", *_AS_MEMBERS, "tagprop:weights=metric", "heads"),
    *(f"hybrid:members={others}" for others in _LEFT_OUT),
)
"""The hybrid, its members, these as they are on their own, and each of them left out."""
_ON_TAGS = (
    *("frequency", "knn", "tagvote"),
    *("heads:n_units=2048", "heads:n_units=2048:quantity=network"),
)
_UNTAGGED = Unseen(n_tags=None, judged=JudgedTags.ALL, n_draws=1)
_ZERO_SHOT = ("random", "knn", "expansion", "words:class_weight=0", "words")
_READ_MORE = frozenset({"expansion", "multimodal", "mscnn", "words"})
"""Learners that read tags as input, pixels or words: the made-up pictures have none."""
_EACH_WAY = Emission(Emit.EACH_WAY)
_COMPLETION = (Protocol(completion=Completion(), emission=_EACH_WAY),)
# Heads of one layer on the features, as the classifiers that a network ends in.
_LAST_LAYERS = {
    f"heads:loss={loss}:n_units=0:learning_rate=0.001:prior_correction=0": f"CNN+{shown}"
    for loss, shown in (("logistic", "logistic"), ("softmax", "softmax"), ("warp", "WARP"))
}
_NIU = {
    "mscnn:fusion=false": "CNN",
    "mscnn": "MS-CNN",
    "multimodal": "Heads+Tags",
    "heads": "Heads",
    **_LAST_LAYERS,
}
"""The rows of the tables of Niu et al., but that their MS-CNN+Tags reads the MS-CNN's features."""
_NIU_SMOKE = {name.replace("mscnn", "mscnn:epochs=1"): label for name, label in _NIU.items()}


def _of_niu(name: str, about: str, reader: str, folder: str, evaluation: str) -> "Suite":
    return Suite(
        name=name,
        about=about,
        reader=reader,
        folder=folder,
        methods=tuple(_NIU),
        labels=_NIU,
        protocols=(Protocol(evaluation=evaluation, reads_tags=True, emission=_EACH_WAY),),
    )


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
            name="corel5k-hybrid",
            about="Corel-5K: the hybrid, each of its members alone, and each left out",
            reader="corel5k",
            folder="corel5k",
            methods=_MIXED,
        ),
        Suite(
            name="corel5k-few",
            about="Corel-5K with no, 1, 2, 5, 10 and 50 training pictures a label",
            reader="corel5k",
            folder="corel5k",
            methods=(
                *("frequency", "copy", "knn", "tagvote", "2pknn", "cca-knn", "hybrid"),
                *_AS_MEMBERS,
            ),
            protocols=tuple(Protocol(n_examples=n) for n in FEW_SIZES),
        ),
        Suite(
            name="corel5k-albums",
            about="Corel-5K in albums of six pictures of a series: one by one, and together",
            reader="corel5k",
            folder="corel5k",
            methods=tuple(
                f"{learner}{how}"
                for learner in ("knn", "tagprop", "heads")
                for how in ("", _TOGETHER)
            ),
            protocols=(Protocol(album_size=_ALBUM_SIZE),),
        ),
        Suite(
            name="corel5k-completion",
            about="Corel-5K: half of a picture's labels given among wrong ones, the others asked",
            reader="corel5k",
            folder="corel5k",
            methods=("frequency", "knn", "heads", "multimodal", "multimodal:form=layers"),
            protocols=(Protocol(completion=Completion()),),
        ),
        Suite(
            name="corel5k-niu",
            about="Corel-5K, half of a picture's labels given as tags: the tables of Niu et al.",
            reader="corel5k",
            folder="corel5k",
            methods=tuple(_NIU),
            labels=_NIU,
            protocols=_COMPLETION,
            beside=Beside("nuswide", "niu"),
        ),
        Suite(
            name="corel5k-quantity",
            about="Corel-5K: how many tags a picture should get, from its features",
            reader="corel5k",
            folder="corel5k",
            methods=("heads", "heads:quantity=network"),
            protocols=(Protocol(emission=_EACH_WAY),),
            beside=Beside("nuswide", "niu"),
        ),
        _of_niu(
            "nuswide",
            "NUS-WIDE, typed tags as input, 81 labels: the tables of Niu et al.",
            "nuswide",
            "nuswide",
            "test",
        ),
        _of_niu(
            "coco",
            "MS-COCO, words of the captions as tags, 80 labels: the tables of Niu et al.",
            "coco-captions",
            "coco",
            "val",
        ),
        Suite(
            name="coco-mini",
            about="80 pictures of MS-COCO to learn from: do the tables of Niu et al. come out?",
            reader="coco-captions",
            folder="coco-mini",
            methods=tuple(_NIU_SMOKE),
            labels=_NIU_SMOKE,
            protocols=(Protocol(evaluation="val", reads_tags=True, emission=_EACH_WAY),),
        ),
        Suite(
            name="corel5k-unseen",
            about="Corel-5K with 52 of the 260 labels on no training picture, five draws of them",
            reader="corel5k",
            folder="corel5k",
            methods=_ZERO_SHOT,
            protocols=tuple(
                Protocol(unseen=Unseen(n_tags=52, judged=judged)) for judged in JudgedTags
            ),
        ),
        Suite(
            name="corel5k-untagged",
            about="Corel-5K with no label known at all: the network's own classes, by their names",
            reader="corel5k",
            folder="corel5k",
            methods=("random", "words"),
            protocols=(Protocol(unseen=_UNTAGGED),),
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
            about="520 made-up pictures: do all learners run that read no tags or pixels?",
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
