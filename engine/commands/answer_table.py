"""The tags of a picture, as people read them on a terminal."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

import numpy as np

from engine.commands.wording import percent
from engine.explain import no_voters
from engine.results import RankedTag, Relation, TagAnswer, Voter
from engine.saying import PrecisionCut

__all__ = ["cost_of_precision", "table"]

_WIDEST_TAG = 40
_MOST_VOTERS = 5
_DECIMALS = 3
_MOST_DECIMALS = 10


def cost_of_precision(precision: float, cut: PrecisionCut | None) -> str:
    """Return what a precision costs, or that nothing is so sure."""
    if cut is None:
        return (
            "No tag is said: on pictures held out from training, not even the likeliest tags were "
            f"right {percent(precision)} % of the time; lower --precision, or take --top N"
        )
    return (
        f"Only tags of probability {_rounded_down(cut.threshold)} or more are said. On pictures "
        f"held out from training, {percent(cut.precision)} % of such tags were right, and they "
        f"were {percent(cut.recall)} % of all the tags that people gave these pictures"
    )


def _rounded_down(probability: float) -> str:
    """Return three decimals, or as many as tell a probability from 0 and from 1."""
    exact = Decimal(str(np.float32(probability)))
    for decimals in range(_DECIMALS, _MOST_DECIMALS):
        unit = Decimal(1).scaleb(-decimals)
        rounded = exact.quantize(unit, ROUND_FLOOR)
        if exact in (0, 1) or (rounded > 0 and exact.quantize(unit) < 1):
            return format(rounded.normalize(), "f")
    return format(exact, "f")


def table(answer: TagAnswer) -> str:
    """Return an answer for people, with the voters where it is explained."""
    if answer.error is not None:
        return f"{answer.image}\n  not tagged: {answer.error}"
    if not answer.tags:
        return f"{answer.image}  ({answer.learner})\n  no tag"
    width = min(_WIDEST_TAG, max(len(ranked.tag) for ranked in answer.tags))
    lines = [f"{answer.image}  ({answer.learner})"]
    for ranked in answer.tags:
        score = f"{ranked.score:6.3f}" if ranked.is_scored else f"{'-':>6}"
        lines.append(f"  {ranked.tag:<{width}}  {score}{_note(ranked)}")
        lines += _explanation(ranked)
    if answer.tags[0].voters is not None:
        if answer.voter is None:
            lines.append(f"  {no_voters(answer.learner)}")
        elif answer.voter != answer.learner:
            lines.append(f"  the voters are those of {answer.voter}, which {answer.learner} mixes")
    return "\n".join(lines)


def _note(ranked: RankedTag) -> str:
    # What people said is a fact, however likely the learner finds it.
    is_guessed = not ranked.is_confirmed and ranked.probability is not None
    chance = f"  p {ranked.probability:.3f}" if is_guessed else ""
    vote = "" if ranked.vote is None else f"  x {ranked.vote:.3f}"
    brought = ""
    if ranked.relation is Relation.KIND:
        brought = f"  {ranked.brought_by} is a kind of it"
    elif ranked.relation is Relation.NEAR:
        brought = f"  near {ranked.brought_by}"
    return chance + vote + ("  confirmed" if ranked.is_confirmed else "") + brought


def _explanation(ranked: RankedTag) -> list[str]:
    """Return what each source adds, who voted, and what would have changed the tag."""
    lines = []
    sources = ranked.sources or {}
    if len(sources) > 1:
        shares = "  ".join(f"{name} {part:+.3f}" for name, part in sources.items() if part)
        lines.append(f"      {shares}")
    lines += _voter_lines(ranked.voters or ())
    lacking = ranked.nearest_without
    if lacking is not None:
        # A learner may see its voters in a space of its own, where distances are others.
        lines.append(
            f"      nearest without it, as 'engine search' has it: {lacking.image_id}  "
            f"(distance {lacking.distance:.3f})"
        )
    return lines


def _voter_lines(voters: Sequence[Voter]) -> list[str]:
    """Return the heaviest voters for a tag, then those against it, a line each.

    What the others weigh together is told after either: the weights still sum to the vote.
    """
    against = [voter for voter in voters if voter.weight < 0]
    lines = _heaviest([voter for voter in voters if voter.weight >= 0])
    return lines + _heaviest(against, "; against it: it was removed there")


def _heaviest(voters: Sequence[Voter], note: str = "") -> list[str]:
    heaviest = sorted(voters, key=lambda voter: -abs(voter.weight))
    shown, others = heaviest[:_MOST_VOTERS], heaviest[_MOST_VOTERS:]
    lines = [
        f"      {voter.weight:.3f}  {voter.image_id}  (distance {voter.distance:.3f}{note})"
        for voter in shown
    ]
    if others:
        weight = sum(voter.weight for voter in others)
        lines.append(f"      {weight:.3f}  and {len(others):,} more")
    return lines
