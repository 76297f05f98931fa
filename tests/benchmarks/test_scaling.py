"""The growth of training: made-up pictures, and a table that can be read."""

import numpy as np

from benchmarks.memory import PeakMemory
from benchmarks.scaling import made_up, main


def test_made_up_pictures_have_five_tags_frequent_ones_more_often():
    vectors, tags = made_up(2_000)
    assert vectors.shape == (2_000, 64)
    assert (np.diff(tags.indptr) == 5).all()
    assert tags.counts[:10].sum() > 5 * tags.counts[-10:].sum()


def test_a_line_a_size(capsys):
    main(["--sizes", "60", "120", "--neighbors", "5"])
    header, *lines = capsys.readouterr().out.splitlines()
    assert " ".join(header.split()) == "pictures search s fit s us a vote peak MB"
    assert [line.split()[0] for line in lines] == ["60", "120"]


def test_the_peak_holds_what_was_held():
    with PeakMemory() as memory:
        held = np.ones(40 << 20, np.uint8)
    assert memory.peak_mb > held.nbytes / 2**20
