import subprocess
import sys

import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from learners.base import Batch, Needs, TagLearner, TagMatrix
from learners.batch import check_width
from learners.table import learner_class, make_learner
from learners.voting import KNN, TagVote

TAGS = TagMatrix.from_lists([0, 1], [[0], [1]], n_tags=2)


def test_an_unknown_learner_is_named_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r"no learner is called 'kn'; there are .*knn, .*random, tagprop, tagvote"
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


def test_a_learner_takes_pictures_and_tags_as_they_are_now() -> None:
    learner = KNN(n_neighbors=1).fit(Batch(), TAGS)
    now = TagMatrix.from_lists([1, 2], [[1], [0]], n_tags=3)
    again = learner.rebased(now, np.array([0, 1, -1]))
    assert (again.tags_, again.n_tags_) == (now, 3)
    assert (learner.tags_, learner.n_tags_) == (TAGS, 2)
    with pytest.raises(InputError, match="2 columns up to 1 for 3 tags of a learner fitted on 2"):
        learner.rebased(now, np.array([0, 1]))
    with pytest.raises(InputError, match="3 columns up to 2 for 3 tags"):
        learner.rebased(now, np.array([0, 1, 2]))
    with pytest.raises(InputError, match=r"'random' knows only the pictures .* train it again"):
        make_learner("random").fit(Batch(), TAGS).rebased(now, np.array([0, 1, -1]))


def test_blocks_sum_to_the_width() -> None:
    features = np.zeros((3, 4), np.float32)
    assert Batch(features=features, blocks=(1, 3)).n_queries == 3
    for blocks in ((1, 2), (4, 0), ()):
        with pytest.raises(InputError, match="for features of 4 values"):
            Batch(features=features, blocks=blocks)
    with pytest.raises(InputError, match="features of 3, groups of 2 pictures"):
        Batch(features=features, groups=np.zeros(2, np.int64))


def test_a_width_that_does_not_fit_is_named() -> None:
    check_width(np.zeros((0, 4), np.float32), 4, "blocks")
    with pytest.raises(InputError, match=r"features of shape \(3, 5\) for blocks of 4 values"):
        check_width(np.zeros((3, 5), np.float32), 4, "blocks")
    with pytest.raises(InputError, match=r"features of shape \(4,\) for blocks"):
        check_width(np.zeros(4, np.float32), 4, "blocks")


def test_a_state_of_another_vocabulary_than_its_pictures_is_refused() -> None:
    head, arrays = KNN().fit(Batch(), TAGS).state()
    with pytest.raises(ArtifactError, match="'knn' of 3 tags whose pictures have 2"):
        TagLearner.from_state({**head, "n_tags": 3}, arrays)
