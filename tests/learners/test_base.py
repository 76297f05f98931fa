import subprocess
import sys

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from learners.base import Batch, Needs, TagLearner, TagMatrix, learner_class, make_learner
from learners.voting import KNN, TagVote

TAGS = TagMatrix.from_lists([0, 1], [[0], [1]], n_tags=2)


def test_an_unknown_learner_is_named_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"no learner is called 'kn'; there are .*knn, random, tagvote"
    ):
        make_learner("kn")
    with pytest.raises(InputError, match="no learner is called"):
        learner_class("")


def test_an_unknown_parameter_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no parameter 'k'; it takes n_neighbors, weights"):
        make_learner("knn", k=3)


@pytest.mark.parametrize("learned", ["tags_", "n_tags_"])
def test_what_is_learned_is_no_parameter(learned: str) -> None:
    with pytest.raises(InputError, match="no parameter"):
        make_learner("knn", **{learned: 3})


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("knn", {"n_neighbors": 0}, "n_neighbors is 0; it is at least 1"),
        ("knn", {"n_neighbors": "5"}, "n_neighbors is '5'; it is a whole number"),
        ("knn", {"n_neighbors": True}, "n_neighbors is True; it is a whole number"),
        ("knn", {"weights": "cosine"}, "weights is 'cosine'; it is one of uniform, similarity"),
        ("tagvote", {"unique_owner": "yes"}, "unique_owner is 'yes'; it is True or False"),
    ],
)
def test_values_that_are_not_accepted(name: str, params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_learner(name, **params)


def test_a_batch_knows_how_many_pictures_it_asks_about() -> None:
    assert Batch().n_queries == 0
    assert Batch(features=np.zeros((3, 2), np.float32)).n_queries == 3
    assert Batch(tags=TAGS).n_queries == 2
    with pytest.raises(InputError, match="features of 3, tags of 2 pictures"):
        Batch(features=np.zeros((3, 2), np.float32), tags=TAGS)


def test_fitting_takes_one_picture_an_image() -> None:
    class Hungry(KNN):
        fit_needs = Needs.FEATURES

    with pytest.raises(InputError, match="got nothing; it needs features"):
        Hungry().fit(Batch(), TAGS)
    with pytest.raises(InputError, match="a batch of 3 pictures with the tags of 2"):
        Hungry().fit(Batch(features=np.zeros((3, 2), np.float32)), TAGS)


def test_a_fit_that_fails_leaves_no_learner_that_answers() -> None:
    class Failing(KNN):
        fails = False

        def _fit(self, batch: Batch, tags: TagMatrix) -> None:
            super()._fit(batch, tags)
            if self.fails:
                raise InputError("halfway")

    learner = Failing().fit(Batch(), TAGS)
    learner.fails = True
    with pytest.raises(InputError, match="halfway"):
        learner.fit(Batch(), TAGS)
    assert not hasattr(learner, "n_tags_")


def test_a_state_of_another_version_or_learner_is_refused() -> None:
    head, arrays = KNN().fit(Batch(), TAGS).state()
    with pytest.raises(ArtifactError, match="format 99; this version reads 1"):
        TagLearner.from_state(head | {"format": 99}, arrays)
    with pytest.raises(ArtifactError, match="no learner is called 'gone'"):
        TagLearner.from_state(head | {"learner": "gone"}, arrays)
    with pytest.raises(ArtifactError, match="no parameter 'old'"):
        TagLearner.from_state(head | {"params": {"old": 1}}, arrays)
    with pytest.raises(ArtifactError, match="a saved learner 'knn' where a 'tagvote'"):
        TagVote.from_state(head, arrays)
    assert isinstance(KNN.from_state(head, arrays), KNN)


def test_voting_costs_no_heavy_import() -> None:
    heavy = ["torch", "scipy", "sklearn", "faiss", "openvino", "pyarrow", "timm", "open_clip"]
    program = (
        "import sys, learners.voting, learners.ranking, learners.selection, learners.metrics\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
