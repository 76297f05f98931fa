"""A contact sheet of test pictures: which tags are right, which are wrong, which are missing."""

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from benchmarks.report.groups import Group
from benchmarks.report.results import Scores
from indexing.errors import PictureError
from indexing.pixels import open_rgb, read_picture
from learners.metrics import average_precisions

__all__ = ["Card", "cards", "find_picture", "sheet_html"]

_N_TAGS = 5
_SIDE = 240
_SUFFIXES = ("", ".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Card:
    """A picture with its tags; the emitted ones best first, each right or wrong."""

    image_id: str
    emitted: tuple[tuple[str, bool], ...]
    missing: tuple[str, ...]
    average_precision: float


def cards(group: Group, scores: Scores, n_cards: int = 12) -> list[Card]:
    """Choose pictures evenly from the best tagged to the worst, and say what they got.

    Parameters
    ----------
    group : Group
        Its first headline measure says how many tags are emitted, else 5 are.
    scores : Scores
        Of the method that is shown.
    n_cards : int, default=12
        Pictures, at most; those without a true tag are not shown.
    """
    judged = scores.judged
    cutoffs = [m.at for m in group.headlines if isinstance(m.at, int)]
    n_tags = cutoffs[0] if cutoffs else _N_TAGS
    values = average_precisions(judged.tag_order, judged.relevant, judged.candidates)
    order = np.argsort(-values, kind="stable")[: np.count_nonzero(~np.isnan(values))]
    if not order.size:
        return []
    places = np.unique(np.linspace(0, order.size - 1, n_cards).round().astype(np.int64))
    found = []
    for row in order[places]:
        top = [t for t in judged.tag_order[row, :n_tags] if judged.candidates[row, t]]
        missing = np.setdiff1d(np.flatnonzero(judged.relevant[row]), top)
        found.append(
            Card(
                image_id=str(scores.image_ids[row]),
                emitted=tuple((str(scores.tags[t]), bool(judged.relevant[row, t])) for t in top),
                missing=tuple(str(scores.tags[t]) for t in missing),
                average_precision=float(values[row]),
            )
        )
    return found


def find_picture(
    image_id: str, image_root: Path | None, images: Mapping[str, Path] | None = None
) -> Path | None:
    """Return the file of a picture, None where there is none.

    Parameters
    ----------
    image_id : str
        A path below `image_root`, with or without its suffix.
    image_root : Path or None
    images : mapping of str to Path, optional
        Files of pictures by id; asked first.
    """
    if images is not None and image_id in images:
        return images[image_id]
    relative = PurePath(image_id)
    # An id is data: it must not lead out of the folder.
    if image_root is None or relative.is_absolute() or ".." in relative.parts:
        return None
    for suffix in _SUFFIXES:
        path = image_root / f"{image_id}{suffix}"
        if path.is_file():
            return path
    return None


def sheet_html(
    found: list[Card], image_root: Path | None, images: Mapping[str, Path] | None = None
) -> str:
    """Return the cards as HTML, pictures inside where they can be read."""
    return "\n".join(
        _card_html(card, _thumbnail(find_picture(card.image_id, image_root, images)))
        for card in found
    )


def _card_html(card: Card, jpeg: str) -> str:
    name = html.escape(card.image_id, quote=True)
    picture = (
        f'<img src="data:image/jpeg;base64,{jpeg}" alt="picture {name}" title="{name}">'
        if jpeg
        else ""
    )
    tags = "".join(
        f'<li class="{"right" if right else "wrong"}">{html.escape(tag)}</li>'
        for tag, right in card.emitted
    )
    tags += "".join(f'<li class="lost">{html.escape(tag)}</li>' for tag in card.missing)
    return (
        f'<article>{picture}<ul class="chips">{tags}</ul>'
        f"<p>{name} · AP {100 * card.average_precision:.0f}</p></article>"
    )


def _thumbnail(path: Path | None) -> str:
    """Return a small JPEG as base64, empty where the picture cannot be read."""
    if path is None:
        return ""
    try:
        picture = open_rgb(read_picture(path), at_least=_SIDE)
    except PictureError:
        return ""
    picture.thumbnail((_SIDE, _SIDE))
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=80)
    return base64.b64encode(jpeg.getvalue()).decode("ascii")
