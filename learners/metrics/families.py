"""Everything that can be measured: how it is written, its convention, what it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from learners.metrics.decisions import (
    COUNT_MEASURES,
    LabelCounts,
    emit,
    harmonic_mean,
    quantities_to_emit,
)
from learners.metrics.judged import Judged
from learners.metrics.rankings import average_precisions, dcg_ratios
from learners.metrics.statistics import (
    BinnedGaps,
    Counts,
    ImageMean,
    Statistic,
    TagRankings,
    Unit,
)

if TYPE_CHECKING:
    from learners.metrics.measure import Measure

__all__ = ["ALIASES", "LQP", "MEASURES", "Family", "Form"]

LQP = "lqp"
"""Cutoff that stands for "as many tags as the label quantity prediction says"."""


class Form(StrEnum):
    """How a measure is written, beside its name."""

    PLAIN = ""
    CUTOFF = "@5"
    DECISION = "@5, @lqp or >0.5"
    BINS = "@15, a number of bins"


@dataclass(frozen=True)
class Family:
    """What measures of one name have in common.

    Parameters
    ----------
    form : Form
        What follows the name.
    convention : str
        What it averages, and what it does with ties and with what has no relevant item.
    statistic : callable
        From a measure of the family and what is judged to what the measure reads.
    """

    form: Form
    convention: str
    statistic: "Callable[[Measure, Judged], Statistic]"


def _map(measure: "Measure", judged: Judged) -> Statistic:
    return TagRankings(judged)


def _miap(measure: "Measure", judged: Judged) -> Statistic:
    return ImageMean(average_precisions(judged.tag_order, judged.relevant, judged.candidates))


def _miap_all(measure: "Measure", judged: Judged) -> Statistic:
    values = average_precisions(judged.tag_order, judged.relevant, judged.candidates)
    return ImageMean(np.nan_to_num(values, nan=0.0))


def _ndcg(measure: "Measure", judged: Judged) -> Statistic:
    cutoff = int(measure.at or 0)
    return ImageMean(dcg_ratios(judged.tag_order, judged.truth, cutoff, judged.candidates))


def _emitted(measure: "Measure", judged: Judged) -> NDArray[np.bool_]:
    if measure.above is not None:
        return emit(judged, above=measure.above)
    return emit(judged, top=None if measure.at == LQP else int(measure.at or 0))


def _image_decisions(measure: "Measure", judged: Judged) -> Statistic:
    emitted = _emitted(measure, judged)
    correct = np.count_nonzero(emitted & judged.relevant, axis=1)
    n_emitted = np.count_nonzero(emitted, axis=1)
    n_relevant = np.count_nonzero(judged.relevant, axis=1)
    precision, recall = correct / np.maximum(n_emitted, 1), correct / np.maximum(n_relevant, 1)
    values = {
        "p": precision,
        "r": recall,
        "f1": harmonic_mean(precision, recall),
        "accuracy": (correct > 0).astype(np.float64),
    }[measure.name]
    return ImageMean(np.where(n_relevant > 0, values, np.nan))


def _counts(measure: "Measure", judged: Judged) -> Statistic:
    per_label = {
        "c-p": LabelCounts.precisions,
        "c-r": LabelCounts.recalls,
        "n+": lambda counts: np.where(counts.judged, counts.correct > 0, np.nan),
    }.get(measure.name)
    return Counts(
        emitted=_emitted(measure, judged),
        relevant=judged.relevant,
        measure=COUNT_MEASURES[measure.name],
        per_label=per_label,
        unit=Unit.IMAGE if measure.name.startswith("i-") else Unit.TAG,
    )


def _quantity(measure: "Measure", judged: Judged) -> Statistic:
    if judged.quantities is None:
        raise InputError(
            f"{measure} without predicted quantities; it compares them with the number of true "
            "labels; give quantities=..."
        )
    n_relevant = np.count_nonzero(judged.relevant, axis=1)
    if measure.name == "lqp-mse":
        return ImageMean((judged.quantities - n_relevant) ** 2)
    right = quantities_to_emit(judged.quantities, judged.n_tags) == n_relevant
    return ImageMean(right.astype(np.float64))


def _ece(measure: "Measure", judged: Judged) -> Statistic:
    return BinnedGaps(judged, int(measure.at or 0), equal_mass=measure.name == "ece")


_LABELS = "labels that are true of no picture are left out and counted"
_PICTURES = "pictures with no relevant tag are left out and counted"
_ALL_PICTURES = "all pictures count, those with no relevant tag too"
_ID_TIES = "tied tags by id, descending"

MEASURES: dict[str, Family] = {
    "map": Family(
        Form.PLAIN,
        "mean over tags of the average precision of the pictures ranked by the tag's score; "
        "tied pictures by id, descending; tags that are relevant to no picture are left out "
        "and counted",
        _map,
    ),
    "miap": Family(
        Form.PLAIN,
        "mean over pictures of the average precision of the tags ranked by the picture's "
        f"scores; {_ID_TIES}; {_PICTURES}",
        _miap,
    ),
    "miap-all": Family(
        Form.PLAIN,
        "as miap, but pictures with no relevant tag score 0, as older testbeds do",
        _miap_all,
    ),
    "ndcg": Family(
        Form.CUTOFF,
        "mean over pictures of DCG (gain 2^grade - 1, discount log2(1 + rank)) over that of "
        f"the ideal ranking of all the picture's truth, both cut at l; {_ID_TIES}; {_PICTURES}",
        _ndcg,
    ),
    "accuracy": Family(
        Form.CUTOFF,
        f"share of pictures with a relevant tag among the k best; {_ID_TIES}; {_PICTURES}",
        _image_decisions,
    ),
    "p": Family(
        Form.DECISION,
        "mean over pictures of the share of the emitted tags that are relevant; 0 where none "
        f"is emitted; {_ID_TIES}; {_PICTURES}",
        _image_decisions,
    ),
    "r": Family(
        Form.DECISION,
        f"mean over pictures of the share of relevant tags emitted; {_ID_TIES}; {_PICTURES}",
        _image_decisions,
    ),
    "f1": Family(
        Form.DECISION,
        "mean over pictures of the harmonic mean of the picture's p and r, 0 where both are "
        f"0; {_ID_TIES}; {_PICTURES}",
        _image_decisions,
    ),
    "c-p": Family(
        Form.DECISION,
        f"mean over labels of precision, 0 where never emitted; {_ID_TIES}; {_LABELS}",
        _counts,
    ),
    "c-r": Family(Form.DECISION, f"mean over labels of recall; {_ID_TIES}; {_LABELS}", _counts),
    "c-f1": Family(
        Form.DECISION,
        f"harmonic mean of c-p and c-r (not the mean of F1); {_ID_TIES}; {_LABELS}",
        _counts,
    ),
    "i-p": Family(
        Form.DECISION,
        f"right emitted tags over all emitted tags, of all pictures together; {_ID_TIES}; "
        f"{_ALL_PICTURES}",
        _counts,
    ),
    "i-r": Family(
        Form.DECISION,
        f"right emitted tags over all true ones, of all pictures together; {_ID_TIES}; "
        f"{_ALL_PICTURES}",
        _counts,
    ),
    "i-f1": Family(
        Form.DECISION, f"harmonic mean of i-p and i-r; {_ID_TIES}; {_ALL_PICTURES}", _counts
    ),
    "h-f1": Family(
        Form.DECISION, f"harmonic mean of c-f1 and i-f1; {_ID_TIES}; {_LABELS}", _counts
    ),
    "n+": Family(
        Form.DECISION, f"number of labels with recall above 0; {_ID_TIES}; {_LABELS}", _counts
    ),
    "lqp-accuracy": Family(
        Form.PLAIN,
        "share of pictures whose predicted label quantity, rounded half up and clipped to the "
        f"vocabulary, is the number of true labels; {_ALL_PICTURES}",
        _quantity,
    ),
    "lqp-mse": Family(
        Form.PLAIN,
        "mean over pictures of the squared difference between the unrounded label quantity "
        f"and the number of true labels; {_ALL_PICTURES}",
        _quantity,
    ),
    "ece": Family(
        Form.BINS,
        "expected calibration error over all candidate decisions, bins of equal mass; equal "
        "probabilities share a bin",
        _ece,
    ),
    "ece-width": Family(
        Form.BINS,
        "expected calibration error over all candidate decisions, bins of equal width",
        _ece,
    ),
}
"""What can be measured: name -> how it is written, its convention, how it is computed."""

ALIASES = {"o-p": "i-p", "o-r": "i-r", "o-f1": "i-f1"}
"""The same numbers under the names of other papers (O = overall)."""
