"""A contact sheet: one self-contained HTML page with pictures, their tags and who voted."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

from engine.explain import no_voters
from engine.results import RankedTag, TagAnswer
from engine.sheets import write_whole
from indexing.errors import PictureError
from indexing.pixels import open_rgb, read_picture

__all__ = ["write_contact_sheet"]

_PICTURE_SIDE = 260
_VOTER_SIDE = 84
_MOST_VOTERS = 12

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #667080; --card: #fff; --page: #f3f4f6;
        --bar: #2f7d6b; --chip: #e6f1ee; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #9aa4b2; --card: #22262c; --page: #16191d; --bar: #58b89f;
          --chip: #26382f; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 4rem); background: var(--page); color: var(--ink);
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
.note { color: var(--soft); max-width: 70ch; margin: 0 0 2rem; }
main { display: grid; gap: 1.25rem;
       grid-template-columns: repeat(auto-fill, minmax(min(100%, 34rem), 1fr)); }
article { background: var(--card); border-radius: 10px; padding: 1rem; display: grid; gap: 1rem;
          grid-template-columns: 180px 1fr; box-shadow: 0 1px 3px #0002; }
article > img, .missing { width: 180px; border-radius: 6px; align-self: start; }
.missing { padding: 3rem 1rem; text-align: center; color: var(--soft); background: var(--page); }
h2 { font-size: .8rem; font-weight: 500; color: var(--soft); margin: 0 0 .5rem;
     overflow-wrap: anywhere; }
ul { list-style: none; margin: 0 0 .75rem; padding: 0; }
.tags li { display: grid;
           grid-template-columns: minmax(5rem, 9rem) minmax(3rem, 1fr) 5.5rem;
           gap: .6rem; align-items: center; }
.tags b { font-weight: 600; overflow-wrap: anywhere; }
.tags i { height: 8px; border-radius: 4px; background: var(--chip); overflow: hidden; }
.tags i::after { content: ""; display: block; height: 100%; width: var(--share);
                 background: var(--bar); }
.tags span { color: var(--soft); font-variant-numeric: tabular-nums; text-align: right; }
.voters { display: flex; flex-wrap: wrap; gap: .4rem; margin: 0; }
.voters img { height: 62px; border-radius: 4px; display: block; }
.error { color: #b3261e; }
@media (max-width: 44rem) { article { grid-template-columns: 1fr; } }
"""


def write_contact_sheet(
    path: Path, answers: Sequence[TagAnswer], *, title: str, note: str = ""
) -> None:
    """Write the page; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
    answers : sequence of TagAnswer
        Explained ones show who voted.
    title, note : str
        Plain text above the pictures.
    """
    cards = "\n".join(_card(answer) for answer in answers)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n"
        f'<p class="note">{html.escape(note)}</p>\n<main>\n{cards}\n</main></body></html>\n'
    )
    write_whole(path, page)


def _card(answer: TagAnswer) -> str:
    raw_name = Path(answer.image).name
    name = html.escape(raw_name)
    if answer.error is not None:
        error = html.escape(answer.error)
        return (
            f'<article><div class="missing">no picture</div><div><h2>{name}</h2>'
            f'<p class="error">{error}</p></div></article>'
        )
    # Probabilities and shares of the vote are shown as such; log-odds from the lowest answered.
    lengths = [_length(ranked) for ranked in answer.tags if not ranked.is_confirmed]
    low, high = min([0.0, *lengths]), max([1.0, *lengths])
    tags = "".join(_row(ranked, low, high) for ranked in answer.tags)
    picture = _image(Path(answer.image), _PICTURE_SIDE, raw_name)
    return (
        f"<article>{picture or '<div class=missing>no picture</div>'}<div><h2>{name}</h2>"
        f'<ul class="tags">{tags or "<li>no tag</li>"}</ul>{_voters(answer)}</div></article>'
    )


def _row(ranked: RankedTag, low: float, high: float) -> str:
    tag = html.escape(ranked.tag)
    if ranked.is_confirmed:  # a fact, however likely the learner finds it
        return f"<li><b>{tag}</b><span></span><span>confirmed</span></li>"
    length = _length(ranked)
    share = 100 * (length - low) / (high - low)
    return f'<li><b>{tag}</b><i style="--share:{share:.0f}%"></i><span>{length:.2f}</span></li>'


def _length(ranked: RankedTag) -> float:
    return ranked.score if ranked.probability is None else ranked.probability


def _voters(answer: TagAnswer) -> str:
    if answer.voter is None:
        return f"<h2>{html.escape(no_voters(answer.learner))}</h2>"
    # One that was corrected votes for some tags and against others.
    voters = {
        voter.image_id: voter
        for ranked in answer.tags
        for voter in ranked.voters or ()
        if voter.weight >= 0
    }
    heaviest = sorted(voters.values(), key=lambda voter: (-voter.weight, voter.distance))
    shown = heaviest[:_MOST_VOTERS]
    images = "".join(
        _image(
            Path(voter.path),
            _VOTER_SIDE,
            f"{voter.image_id}: {', '.join(voter.tags)} (distance {voter.distance:.3f})",
        )
        for voter in shown
    )
    more = len(voters) - len(shown)
    heading = "voted by" if more <= 0 else f"voted by these, and {more} more"
    return f'<h2>{heading}</h2><div class="voters">{images}</div>' if images else ""


def _image(path: Path, side: int, caption: str) -> str:
    """Return an ``<img>`` with the picture inside it, or nothing where it cannot be read."""
    try:
        picture = open_rgb(read_picture(path), at_least=side)
    except PictureError:
        return ""
    picture.thumbnail((2 * side, side))
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=82)
    data = base64.b64encode(jpeg.getvalue()).decode("ascii")
    caption = html.escape(caption, quote=True)
    return f'<img src="data:image/jpeg;base64,{data}" alt="{caption}" title="{caption}">'
