import numpy as np
import pytest

from indexing.errors import ArtifactError, InputError
from learners.tag_matrix import TagMatrix, locate


@pytest.fixture
def tags() -> TagMatrix:
    return TagMatrix.from_lists([30, 10, 20], [[2, 0, 2], [], [1]], n_tags=4, owners=[7, -1, 8])


def test_from_lists_sorts_pictures_and_tags_and_keeps_each_with_its_owner(tags: TagMatrix) -> None:
    np.testing.assert_array_equal(tags.rows, [10, 20, 30])
    np.testing.assert_array_equal(tags.owners, [-1, 8, 7])
    np.testing.assert_array_equal(tags.toarray(), [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0]])
    np.testing.assert_array_equal(tags.tags_of(2), [0, 2])


def test_counts_and_prior(tags: TagMatrix) -> None:
    np.testing.assert_array_equal(tags.counts, [1, 1, 1, 0])
    np.testing.assert_allclose(tags.prior, [1 / 3, 1 / 3, 1 / 3, 0])
    assert TagMatrix.from_lists([], [], n_tags=2).prior.tolist() == [0, 0]


def test_positions_of_gaps_pads_and_strangers(tags: TagMatrix) -> None:
    found = tags.positions([[10, 30, -1], [11, 9, 99]])
    np.testing.assert_array_equal(found, [[0, 2, -1], [-1, -1, -1]])


def test_nothing_is_located_among_nothing() -> None:
    np.testing.assert_array_equal(locate([3, -1], np.empty(0, np.int64)), [-1, -1])


def test_take_keeps_tags_and_owners(tags: TagMatrix) -> None:
    part = tags.take([0, 2])
    np.testing.assert_array_equal(part.rows, [10, 30])
    np.testing.assert_array_equal(part.owners, [-1, 7])
    np.testing.assert_array_equal(part.toarray(), tags.toarray()[[0, 2]])
    assert tags.take([]).n_images == 0


def test_arrays_make_the_matrix_again(tags: TagMatrix) -> None:
    again = TagMatrix.from_arrays(tags.to_arrays())
    np.testing.assert_array_equal(again.toarray(), tags.toarray())
    np.testing.assert_array_equal(again.rows, tags.rows)
    np.testing.assert_array_equal(again.owners, tags.owners)


@pytest.mark.parametrize("tag", [-1, 4])
def test_a_tag_outside_the_vocabulary_is_refused(tag: int) -> None:
    with pytest.raises(InputError, match="the vocabulary has 4 tags, from 0; drop tags"):
        TagMatrix.from_lists([1], [[tag]], n_tags=4)


@pytest.mark.parametrize(
    ("rows", "lists", "owners", "message"),
    [
        ([1, 1], [[], []], None, "rows of a tag matrix are negative, unsorted or repeated"),
        ([-1], [[]], None, "rows of a tag matrix are negative"),
        ([1, 2], [[0]], None, "1 tag lists for 2 rows"),
        ([1, 2], [[0], []], [3], "1 owners for 2 pictures"),
        ([[1, 2]], [[0], []], None, "rows is int64 of shape"),
        ([0.5], [[0]], None, "rows is float64 of shape"),
    ],
)
def test_lists_that_do_not_fit_are_refused(rows, lists, owners, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TagMatrix.from_lists(rows, lists, 2, owners)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"indptr": [0, 2]}, "indptr does not cut 3 tags into 2 pictures"),
        ({"indptr": [0, 4, 3]}, "indptr does not cut"),
        ({"indptr": [0, 2, 2]}, "indptr does not cut"),
        ({"indices": [1, 0, 1]}, "tags are unsorted or repeated"),
        ({"indices": [1, 1, 1]}, "tags are unsorted or repeated"),
        ({"indices": [0, 1, 2]}, "the vocabulary has 2 tags"),
        ({"rows": [7, 5]}, "unsorted"),
        ({"owners": [1]}, "1 owners for 2 pictures"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, message: str) -> None:
    good = {
        "rows": [5, 7], "indptr": [0, 2, 3], "indices": [0, 1, 0], "n_tags": 2, "owners": [-1, 0]
    }  # fmt: skip
    TagMatrix(**good)
    with pytest.raises(InputError, match=message):
        TagMatrix(**(good | changes))


def test_a_damaged_file_is_an_artifact_error(tags: TagMatrix) -> None:
    arrays = tags.to_arrays()
    with pytest.raises(ArtifactError, match="lacks owners"):
        TagMatrix.from_arrays({k: v for k, v in arrays.items() if k != "owners"})
    with pytest.raises(ArtifactError, match=r"is damaged .*; train the learner again"):
        TagMatrix.from_arrays(arrays | {"indptr": np.array([0, 1])})


@pytest.mark.parametrize("position", [-1, 3])
def test_a_pad_is_no_picture(tags: TagMatrix, position: int) -> None:
    with pytest.raises(InputError, match="positions count from 0; -1 is a pad"):
        tags.tags_of(position)
    with pytest.raises(InputError, match="drop the pads"):
        tags.take([position])


def test_some_of_the_tags_keep_their_pictures() -> None:
    rng = np.random.default_rng(0)
    present = rng.random((9, 6)) < 0.4
    tags = TagMatrix.from_lists(np.arange(9) * 2, [np.flatnonzero(one) for one in present], 6)
    some = tags.of_tags([1, 2, 5])
    np.testing.assert_array_equal(some.toarray(), present[:, [1, 2, 5]])
    np.testing.assert_array_equal(some.rows, tags.rows)
    assert tags.of_tags(np.arange(6)) is tags
    assert tags.of_tags([]).toarray().shape == (9, 0)
