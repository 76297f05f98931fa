"""Measures of tagging and retrieval: arrays in, numbers out, every convention named.

A measure is a value: ``parse_measure("ndcg@5")`` prints, hashes and computes. One that is
asked for several methods or measures shares its sorting through :class:`Judged`.

What all measures have in common:

- **Ties** are ranked as trec_eval does: by score, then by id, both descending. Ids are the
  names of the pictures (``map``) or of the tags (all others); without names the later
  position comes first.
- A score of ``-inf`` means *not a candidate*: it is never emitted, and a relevant item that
  has it counts as missed. A score of NaN is refused.
- What has no relevant item is left out of a mean, and counted in ``n_left_out``, unless the
  measure says otherwise (``Measure.convention``).
"""

from learners.metrics.bootstrap import Comparison, Interval, compare, confidence_intervals
from learners.metrics.calibration import ReliabilityCurve, reliability_curve
from learners.metrics.decisions import LabelCounts, quantities_to_emit
from learners.metrics.judged import Judged
from learners.metrics.measure import MEASURES, Measure, parse_measure
from learners.metrics.rankings import average_precisions, dcg_ratios
from learners.metrics.statistics import MeasureResult

__all__ = [
    "MEASURES",
    "Comparison",
    "Interval",
    "Judged",
    "LabelCounts",
    "Measure",
    "MeasureResult",
    "ReliabilityCurve",
    "average_precisions",
    "compare",
    "confidence_intervals",
    "dcg_ratios",
    "parse_measure",
    "quantities_to_emit",
    "reliability_curve",
]
