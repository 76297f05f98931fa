"""What a training did: plain values that print as JSON."""

from dataclasses import dataclass
from typing import Any

__all__ = ["MixedMember", "TrainingReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedMember:
    """A learner that another one mixes.

    Parameters
    ----------
    name : str
    params : dict
        Its hyper-parameters.
    weight : float
        What it weighs where nothing is known of the picture, at least 0.
    figures : dict of str to float or None
        What was measured of it alone on the held-out pictures, in [0, 1].
    """

    name: str
    params: dict[str, Any]
    weight: float
    figures: dict[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {"params": self.params, "weight": round(self.weight, 6), "after": self.figures}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """What a training did.

    Parameters
    ----------
    workspace : str
        Where it lies.
    learner : str
        What was trained.
    params : dict
        Its hyper-parameters.
    told : tuple of str
        Those that were given, or chosen while it was fitted.
    n_pictures, n_tags : int
        Pictures it was trained on in the end, and the vocabulary.
    members : tuple of MixedMember
        The learners that it mixes.
    held_out : dict
        ``n_pictures`` that were held out, and the measures of knn (``before``) and of the
        learner (``after``) on them, in [0, 1].
    earlier : dict or None
        The same of an earlier training of the same learner that could have been kept; None where
        there is none.
    earlier_brought_by : str or None
        The learner with which the earlier one, which is kept, was trained as its member; None
        where it was trained by itself, or is not kept.
    is_written : bool
        Whether the learner was kept; else the earlier one, which is better, was.
    answered_before, answers_with : str
        The learner that answered where nobody was named, and the one that does so now.
    decisive : str
        The measure that decides who answers.
    answers_held_out : dict or None
        What ``held_out`` is, of `answers_with`; None for knn, which stands beside every learner.
    dropped : dict of str to str
        Other trained learners that could not be carried over, and why.
    seconds : float
        Wall seconds that the training took, as the manifest tells them.
    is_new : bool
        Whether it was fitted now; else what was trained before answers for another goal.
    """

    workspace: str
    learner: str
    params: dict[str, Any]
    told: tuple[str, ...]
    n_pictures: int
    n_tags: int
    held_out: dict[str, Any]
    earlier: dict[str, Any] | None
    earlier_brought_by: str | None
    is_written: bool
    answered_before: str
    answers_with: str
    decisive: str
    members: tuple[MixedMember, ...]
    answers_held_out: dict[str, Any] | None
    dropped: dict[str, str]
    seconds: float
    is_new: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "workspace": self.workspace,
            "learner": self.learner,
            "params": self.params,
            "trained_on": {"pictures": self.n_pictures, "tags": self.n_tags},
            "held_out": self.held_out,
            "members": {member.name: member.to_json() for member in self.members},
            "earlier": None if self.earlier is None else self.earlier["after"],
            "earlier_brought_by": self.earlier_brought_by,
            "written": self.is_written,
            "answered_before": self.answered_before,
            "answers_with": self.answers_with,
            "decided_by": self.decisive,
            "dropped": self.dropped,
            "seconds": round(self.seconds, 3),
        }
