"""The lists of the ILSVRC: which synset each validation picture shows.

``LOC_val_solution.csv`` names the synset itself. The development kit numbers the synsets instead,
in an order of its own that is not that of their names; only its ``meta.mat`` says which is which.
"""

import importlib
import re
from pathlib import Path
from typing import Final

from indexing.corpora.layouts import SYNSET
from indexing.corpora.lines import line_fault, read_lines
from indexing.corpora.rows import read_rows
from indexing.errors import CorpusError
from indexing.records import printable_path

__all__ = ["META_FILE", "TRUTH_FILE", "devkit_folder", "read_synsets", "read_truth"]

META_FILE: Final = "meta.mat"
TRUTH_FILE: Final = "ILSVRC2012_validation_ground_truth.txt"
_SOLUTION_FILE: Final = "LOC_val_solution.csv"
_SOLUTION_COLUMNS: Final = ("ImageId", "PredictionString")
_DEVKIT: Final = "ILSVRC2012_devkit_t12/data"


def devkit_folder(root: Path, name: str) -> Path | None:
    """Return where a file of the development kit lies; None where it is not there."""
    return next((root / at for at in ("", _DEVKIT) if (root / at / name).is_file()), None)


def read_truth(root: Path) -> dict[str, str]:
    """Return the synset of each validation picture, by its file name without the extension.

    Raises
    ------
    CorpusError
        If there is neither list, or, with ``path:line``, for the first line that is malformed.
    """
    solution = root / _SOLUTION_FILE
    if solution.is_file():
        return _read_solution(solution)
    folder = devkit_folder(root, TRUTH_FILE)
    if folder is None:
        raise CorpusError(
            f"{printable_path(root)}: pictures in val that no folder of a synset holds, and no "
            f"list of their synsets; {_SOLUTION_FILE}, or {_DEVKIT}/{TRUTH_FILE} with {META_FILE}, "
            "is accepted; put it there"
        )
    synsets = read_synsets(folder)
    truth = {}
    for line, text in read_lines(folder / TRUTH_FILE):
        number = int(text) if text.isdecimal() and len(text) < 10 else None
        if number not in synsets:
            raise line_fault(
                folder / TRUTH_FILE,
                line,
                f"{text!r} is the number of no synset of {META_FILE}; one of them is accepted; "
                "unpack the development kit again",
            )
        truth[f"ILSVRC2012_val_{line:08d}"] = synsets[number][0]
    return truth


def read_synsets(folder: Path) -> dict[int, tuple[str, str]]:
    """Return the synset and the words of each number of ``meta.mat``.

    Raises
    ------
    CorpusError
        If the file is missing, or has not what the development kit of 2012 has.
    """
    file = folder / META_FILE
    # By name, because it takes a while and nobody else needs it.
    loadmat = importlib.import_module("scipy.io").loadmat
    try:
        with file.open("rb") as opened:
            table = loadmat(opened, squeeze_me=True, variable_names=["synsets"])["synsets"]
        columns = (table[name].tolist() for name in ("ILSVRC2012_ID", "WNID", "words"))
        return {
            int(number): (str(synset), str(words))
            for number, synset, words in zip(*columns, strict=True)
        }
    except OSError as error:
        raise CorpusError(
            f"{printable_path(file)}: cannot be read ({error.strerror}); a readable file is "
            "accepted; check that it is there and that you may read it"
        ) from None
    except Exception:  # the parser of a format that is not documented raises anything
        raise CorpusError(
            f"{printable_path(file)}: not the synsets of ILSVRC2012; the {META_FILE} of its "
            "development kit is accepted; unpack it again"
        ) from None


def _read_solution(path: Path) -> dict[str, str]:
    truth = {}
    for line, row in read_rows(path, _SOLUTION_COLUMNS):
        # Boxes follow; where there are several, all of them have the one synset.
        synset = (row.get(_SOLUTION_COLUMNS[1]) or "").partition(" ")[0]
        if not re.fullmatch(SYNSET, synset):
            raise line_fault(
                path,
                line,
                f"{synset!r} is no synset; one like n01440764 is accepted; correct the line",
            )
        truth[row[_SOLUTION_COLUMNS[0]]] = synset
    return truth
