"""Builds: only what is new is done, everything that went is gone, nothing is lost."""

from dataclasses import replace

import pytest
from PIL import Image

from engine.building import BuildSettings
from engine.generations import GenerationFolders
from engine.tagger import Tagger
from indexing import ingest
from indexing.corpora import read_corpus
from indexing.errors import CorpusError, InputError, LockedError, RefusalReason
from tests.engine.conftest import COLORS, write_picture


def names(workspace):
    return {entry.record.image_id: entry.row for entry in workspace.entries()}


def tags(workspace):
    return {entry.record.image_id: entry.record.tags for entry in workspace.entries()}


def test_a_first_build_counts_what_it_found(workspace, library, settings):
    (library / "untagged.png").write_bytes(
        write_picture(library / "u.png", (9, 9, 9), 1).read_bytes()
    )
    (library / "nothing.png").write_bytes(
        write_picture(library / "n.png", (99, 9, 9), 1).read_bytes()
    )
    (library / "nothing.txt").write_text("")
    (library / "bad.jpg").write_bytes(b"")
    report = workspace.build(library, settings)
    assert report.n_indexed == 28
    assert report.n_tagged == report.n_voters == 25
    assert report.n_tags == 4
    assert report.n_extracted == 26
    assert [(r.path, r.reason) for r in report.refusals] == [("bad.jpg", RefusalReason.EMPTY)]
    assert workspace.refusals() == report.refusals
    assert tags(workspace)["untagged.png"] is None
    assert tags(workspace)["nothing.png"] == ()
    assert set(report.learners) == {"knn", "tagvote"}


def test_a_build_without_changes_makes_no_generation(built, library, settings):
    before = built.info()["generation"]
    report = built.build()
    assert not report.is_changed
    assert report.n_extracted == 0
    assert built.info()["generation"] == before


def test_changes_are_followed_without_decoding_what_is_known(built, library, monkeypatch):
    before = names(built)
    (library / "sub").mkdir()
    (library / "red0.png").rename(library / "sub" / "moved.png")
    (library / "red0.png.txt").rename(library / "sub" / "moved.png.txt")
    (library / "red1.png").unlink()
    (library / "red2.png.txt").write_text("Sunset")
    decoded = []
    original = ingest.decode
    monkeypatch.setattr(ingest, "decode", lambda *args: (decoded.append(1), original(*args))[1])
    write_picture(library / "new.png", COLORS["blue"], seed=999)
    report = built.build()
    after = names(built)
    assert (report.n_added, report.n_removed, report.n_moved) == (1, 1, 1)
    assert len(decoded) == report.n_extracted == 1
    assert after["sub/moved.png"] == before["red0.png"]
    assert after["new.png"] == max(before.values()) + 1
    assert "red1.png" not in after
    assert tags(built)["red2.png"] == ("Sunset",)
    tagger = Tagger(GenerationFolders(built.root))
    assert tagger.index.rows.tolist() == sorted(after.values())
    assert "Sunset" in tagger.tagged.vocabulary


def test_an_updated_index_answers_like_one_built_anew(built, library, settings, tmp_path):
    (library / "green3.png").unlink()
    for i in range(3):
        write_picture(library / f"more{i}.png", COLORS["green"], seed=700 + i)
    built.build()
    anew = type(built)(tmp_path / "anew")
    anew.build(library, settings)
    queries = sorted(library.glob("*.png"))
    for updated, fresh in zip(built.search(queries), anew.search(queries), strict=True):
        assert [(f.image_id, f.tags) for f in updated.results] == [
            (f.image_id, f.tags) for f in fresh.results
        ]
        assert [f.distance for f in updated.results] == pytest.approx(
            [f.distance for f in fresh.results], abs=1e-6
        )


def test_another_extractor_starts_a_new_space(built, library):
    report = built.build(None, BuildSettings(extractor="toy:1"))
    assert report.n_extracted == 24
    assert built.info()["extractor"]["name"] == "toy:1"
    assert built.build().n_extracted == 0


def test_another_form_of_index_is_built_from_the_store(built):
    report = built.build(None, BuildSettings(index="HNSW16"))
    assert report.n_extracted == 0
    assert built.info()["index"]["form"] == "HNSW16"


def test_a_picture_that_comes_back_costs_nothing(built, library, tmp_path):
    away = tmp_path / "away.png"
    (library / "red5.png").rename(away)
    built.build()
    away.rename(library / "red5.png")
    assert built.build().n_extracted == 0


def test_keywords_inside_a_file_count_where_there_is_no_sidecar(workspace, tmp_path, settings):
    folder = tmp_path / "pictures"
    folder.mkdir()
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>inside'
        b"</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    for name in ("a", "b"):
        Image.new("RGB", (20, 20), "teal").save(folder / f"{name}.jpg", xmp=packet)
    (folder / "b.jpg.txt").write_text("beside")
    workspace.build(folder, settings)
    assert tags(workspace) == {"a.jpg": ("inside",), "b.jpg": ("beside",)}
    assert not workspace.build().is_changed


def test_another_corpus_needs_replace(built, tmp_path, settings):
    other = tmp_path / "other"
    other.mkdir()
    write_picture(other / "a.png", COLORS["red"], 5)
    with pytest.raises(InputError, match=r"built from .*library, not from .*other; .*--replace"):
        built.build(other)
    built.build(other, replace(settings, replace=True))
    assert set(names(built)) == {"a.png"}


def test_an_emptied_folder_does_not_empty_the_workspace(built, library):
    for path in library.iterdir():
        path.unlink()
    with pytest.raises(CorpusError, match="holds no picture now and held 24 before"):
        built.build()
    assert len(names(built)) == 24


def test_an_unreadable_corpus_leaves_no_workspace_behind(workspace, tmp_path):
    with pytest.raises(CorpusError, match="nowhere"):
        workspace.build(tmp_path / "nowhere")
    assert not workspace.root.exists()
    with pytest.raises(InputError, match="no pictures named and nothing built here before"):
        workspace.build()


def test_a_corpus_can_be_given_as_a_value(workspace, library, settings):
    corpus = read_corpus(library)
    half = replace(corpus, records=corpus.records[:12])
    assert workspace.build(half, settings).n_indexed == 12
    assert workspace.build(corpus).n_extracted == 12


def test_a_second_writer_is_refused(built):
    with (
        GenerationFolders(built.root).lock(),
        pytest.raises(LockedError, match="one writer at a time"),
    ):
        built.build()


def test_pictures_of_other_splits_are_searched_and_never_vote(workspace, library, settings):
    corpus = read_corpus(library)
    records = tuple(
        replace(record, split="test" if "red" in record.image_id else "train")
        for record in corpus.records
    )
    report = workspace.build(replace(corpus, records=records), settings)
    assert (report.n_indexed, report.n_tagged, report.n_voters) == (24, 24, 16)
    red = library / "red0.png"
    (found,) = workspace.search([red], k=3)
    assert {name.image_id[:3] for name in found.results} == {"red"}
    assert "Red" not in [ranked.tag for ranked in workspace.tag_one(red).tags]


def test_the_number_of_neighbours_is_chosen_anew_only_after_many_changes(built, library):
    chosen = built.info()["learners"]["knn"]
    assert (chosen["n_pictures"], chosen["n_changed"]) == (24, 0)
    assert set(chosen["curve"]) <= {"1", "2", "3", "5", "7", "10", "15", "20"}
    # Untagged pictures do not vote: the choice stays.
    write_picture(library / "plain.png", COLORS["red"], 1)
    built.build()
    assert built.info()["learners"]["knn"] == chosen
    # One of 24 votes is more than 2 %: the choice is made again.
    (library / "red0.png.txt").write_text("Sunset")
    built.build()
    again = built.info()["learners"]["knn"]
    assert (again["n_pictures"], again["n_changed"]) == (24, 0)
    assert again["curve"] != chosen["curve"]
