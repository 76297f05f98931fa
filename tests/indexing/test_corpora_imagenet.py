"""ImageNet: folders of synsets, and the lists of the ILSVRC."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from indexing.corpora import read_corpus
from indexing.errors import CorpusError, RefusalReason
from indexing.records import Corpus, ImageRecord, Refusal
from tests.indexing.layout_files import by_id, exactly, unreadable, write, write_picture

TENCH, CRANE_BIRD, CRANE_MACHINE = "n01440764", "n02012849", "n03126707"
WORDS = {
    TENCH: "tench, Tinca tinca",
    CRANE_BIRD: "crane",
    CRANE_MACHINE: "crane",
    "n04254680": "soccer ball",
}
TRAIN = [
    f"{TENCH}/{TENCH}_10026.JPEG",
    f"{TENCH}/{TENCH}_10027.JPEG",
    f"{CRANE_MACHINE}/{CRANE_MACHINE}_5.JPEG",
]
VAL = {"ILSVRC2012_val_00000001": CRANE_BIRD, "ILSVRC2012_val_00000002": TENCH}
SOLUTION = (
    "ImageId,PredictionString\n"
    f"ILSVRC2012_val_00000002,{TENCH} 85 1 499 272 \n"
    f"ILSVRC2012_val_00000001,{CRANE_BIRD} 131 0 499 254 {CRANE_BIRD} 1 2 3 4 \n"
)
# As in the development kit, the numbers are not in the order of the synsets, and a synset that
# has children comes after the 1,000 that have none.
NUMBERS = {1: CRANE_BIRD, 2: "n04254680", 3: TENCH, 4: CRANE_MACHINE, 1001: "n02152991"}
CRANES = {CRANE_BIRD: f"crane ({CRANE_BIRD})", CRANE_MACHINE: f"crane ({CRANE_MACHINE})"}


def pictures(data: Path) -> None:
    for place in TRAIN:
        write_picture(data / "train" / place)
    for name in VAL:
        write_picture(data / "val" / f"{name}.JPEG")


def make_challenge(root: Path) -> Path:
    pictures(root / "ILSVRC" / "Data" / "CLS-LOC")
    write_picture(root / "ILSVRC" / "Data" / "CLS-LOC" / "test" / "ILSVRC2012_test_00000001.JPEG")
    lines = (f"{synset} {words}\n" for synset, words in WORDS.items())
    write(root / "LOC_synset_mapping.txt", "".join(lines))
    write(root / "LOC_val_solution.csv", SOLUTION)
    return root


def make_devkit(root: Path) -> Path:
    pictures(root)
    data = root / "ILSVRC2012_devkit_t12" / "data"
    write(data / "ILSVRC2012_validation_ground_truth.txt", "1\n3\n")
    names = ["ILSVRC2012_ID", "WNID", "words", "gloss", "num_children"]
    table = np.empty((len(NUMBERS), 1), dtype=[(name, "O") for name in names])
    for row, (number, synset) in enumerate(NUMBERS.items()):
        words = WORDS.get(synset, "animal, beast")
        table[row, 0] = (number, synset, words, "what it is", 3 if number > 1000 else 0)
    savemat(data / "meta.mat", {"synsets": table})
    return root


def expected(root: Path, data: Path) -> Corpus:
    found = {
        f"train/{TRAIN[0]}": ("tench", "train"),
        f"train/{TRAIN[1]}": ("tench", "train"),
        f"train/{TRAIN[2]}": (CRANES[CRANE_MACHINE], "train"),
        "val/ILSVRC2012_val_00000001.JPEG": (CRANES[CRANE_BIRD], "val"),
        "val/ILSVRC2012_val_00000002.JPEG": ("tench", "val"),
    }
    return Corpus(
        root=root,
        format="imagenet",
        records=tuple(
            ImageRecord(
                image_id=name,
                path=data / name,
                tags=(label,) if split == "train" else None,
                labels=(label,),
                split=split,
            )
            for name, (label, split) in found.items()
        ),
    )


def test_the_archive_of_the_challenge(tmp_path: Path) -> None:
    corpus = read_corpus(make_challenge(tmp_path))
    assert corpus == expected(tmp_path, tmp_path / "ILSVRC" / "Data" / "CLS-LOC")
    assert all(record.path.is_file() for record in corpus.records)


@pytest.mark.parametrize("moved", [False, True])
def test_the_development_kit(tmp_path: Path, moved: bool) -> None:
    make_devkit(tmp_path)
    if moved:
        for file in (tmp_path / "ILSVRC2012_devkit_t12" / "data").iterdir():
            file.rename(tmp_path / file.name)
    assert read_corpus(tmp_path) == expected(tmp_path, tmp_path)


def test_a_file_of_words_goes_before_the_development_kit(tmp_path: Path) -> None:
    write(make_devkit(tmp_path) / "synset_words.txt", f"{TENCH} Schleie, tench\n")
    labels = {record.labels for record in read_corpus(tmp_path).records}
    assert labels == {("Schleie",), (CRANE_BIRD,), (CRANE_MACHINE,)}


def test_validation_pictures_in_folders_need_no_list(tmp_path: Path) -> None:
    pictures(tmp_path)
    for name, synset in VAL.items():
        place = tmp_path / "val" / synset / f"{name}.JPEG"
        place.parent.mkdir()
        (tmp_path / "val" / f"{name}.JPEG").rename(place)
    found = {name: (r.labels, r.tags, r.split) for name, r in by_id(read_corpus(tmp_path)).items()}
    assert found == {
        f"train/{TRAIN[0]}": ((TENCH,), (TENCH,), "train"),
        f"train/{TRAIN[1]}": ((TENCH,), (TENCH,), "train"),
        f"train/{TRAIN[2]}": ((CRANE_MACHINE,), (CRANE_MACHINE,), "train"),
        f"val/{CRANE_BIRD}/ILSVRC2012_val_00000001.JPEG": ((CRANE_BIRD,), None, "val"),
        f"val/{TENCH}/ILSVRC2012_val_00000002.JPEG": ((TENCH,), None, "val"),
    }


def test_folders_of_synsets_alone_have_no_splits(tmp_path: Path) -> None:
    for place in TRAIN:
        write_picture(tmp_path / place)
    (tmp_path / TENCH / "folder.jpg").mkdir()
    write(tmp_path / "words.txt", f"{TENCH}\ttench, Tinca tinca\nn00001740\tentity\n")
    corpus = read_corpus(tmp_path, "imagenet")
    assert {r.image_id: (r.labels, r.tags, r.split, r.path) for r in corpus.records} == {
        place: ((label,), (label,), None, tmp_path / place)
        for place, label in zip(TRAIN, ["tench", "tench", CRANE_MACHINE], strict=True)
    }
    assert corpus.refusals == (
        Refusal(f"{TENCH}/folder.jpg", RefusalReason.NOT_A_FILE, "a directory"),
    )


def test_refusals_are_named_like_the_pictures(tmp_path: Path) -> None:
    (make_challenge(tmp_path) / "ILSVRC/Data/CLS-LOC/train" / TENCH / "x.jpg").mkdir()
    assert [refusal.path for refusal in read_corpus(tmp_path).refusals] == [f"train/{TENCH}/x.jpg"]


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    message = (
        f"{tmp_path}: no picture; train, val or folders named like n01440764 are accepted; unpack "
        "the pictures there"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path, "imagenet")


def test_a_picture_of_no_synset_is_named(tmp_path: Path) -> None:
    place = write_picture(make_challenge(tmp_path) / "ILSVRC/Data/CLS-LOC/train/fish/a.JPEG")
    message = (
        f"{place}: in the folder of no synset; folders named like n01440764 are accepted; move it "
        "to one"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


def test_unsorted_validation_pictures_need_a_list(tmp_path: Path) -> None:
    (make_challenge(tmp_path) / "LOC_val_solution.csv").unlink()
    message = (
        f"{tmp_path}: pictures in val that no folder of a synset holds, and no list of their "
        "synsets; LOC_val_solution.csv, or "
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt with meta.mat, is "
        "accepted; put it there"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


def test_the_numbers_of_the_development_kit_need_its_table(tmp_path: Path) -> None:
    path = make_devkit(tmp_path) / "ILSVRC2012_devkit_t12" / "data" / "meta.mat"
    path.write_bytes(b"no table")
    message = (
        f"{path}: not the synsets of ILSVRC2012; the meta.mat of its development kit is accepted; "
        "unpack it again"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)
    savemat(path, {"synsets": np.zeros(3)})
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)
    path.unlink()
    with pytest.raises(CorpusError, match=exactly(unreadable(path))):
        read_corpus(tmp_path)


@pytest.mark.parametrize("number", ["5", "tench"])
def test_a_number_of_no_synset_is_named(tmp_path: Path, number: str) -> None:
    folder = make_devkit(tmp_path) / "ILSVRC2012_devkit_t12" / "data"
    path = write(folder / "ILSVRC2012_validation_ground_truth.txt", f"1\n{number}\n")
    message = (
        f"{path}:2: {number!r} is the number of no synset of meta.mat; one of them is accepted; "
        "unpack the development kit again"
    )
    with pytest.raises(CorpusError, match=exactly(message)):
        read_corpus(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "LOC_val_solution.csv",
            "ImageId,PredictionString\nILSVRC2012_val_00000001,tench 1 2 3 4\n",
            ":2: 'tench' is no synset; one like n01440764 is accepted; correct the line",
        ),
        (
            "LOC_val_solution.csv",
            "ImageId\nILSVRC2012_val_00000001\n",
            ":2: '' is no synset; one like n01440764 is accepted; correct the line",
        ),
        (
            "LOC_val_solution.csv",
            "image,label\n",
            ":1: no column 'ImageId' among ['image', 'label']; accepted: ImageId, "
            "PredictionString; name the columns",
        ),
        (
            "LOC_synset_mapping.txt",
            f"{TENCH} tench\nn0151 goldfish\n",
            ":2: 'n0151 goldfish'; a synset like n01440764 and its words are accepted; correct "
            "the line",
        ),
        (
            "LOC_synset_mapping.txt",
            f"{TENCH}\n",
            f":1: '{TENCH}'; a synset like n01440764 and its words are accepted; correct the line",
        ),
    ],
)
def test_a_malformed_list_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = write(make_challenge(tmp_path) / name, content)
    with pytest.raises(CorpusError, match=exactly(f"{path}{said}")):
        read_corpus(tmp_path)
