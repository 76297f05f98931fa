"""Build an index from a small corpus, tag pictures that are not in it, write a contact sheet."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from benchmarks.demo.photographs import installed_photographs, write_crops
from engine import Workspace
from engine.commands.answer_table import table
from engine.commands.build import summary
from engine.contact_sheet import write_contact_sheet
from engine.emission import Emission
from engine.progress import ProgressBars
from indexing.corpora import read_corpus
from indexing.errors import EngineError, InputError
from indexing.records import Corpus, printable_path

_OUTPUT = Path("demo-output")
_SHEET = _OUTPUT / "contact-sheet.html"
_HELD_OUT = 12
_VOTERS_OF_CROPS = 3
_NOTE_CROPS = (
    "A demonstration, not a measurement: the corpus is {indexed} overlapping crops of "
    "{photographs} photographs that installed Python packages carry, and each new picture is "
    "another crop of one of them, so a good neighbour always exists. The tags are the project's "
    "own. Every tag shown has at least {voters} voters that carry it."
)
_NOTE_FOLDER = (
    "{held} tagged pictures of {root} were kept out of the index ({indexed} pictures) and tagged "
    "by their neighbours; nothing in that folder was changed."
)


@click.command()
@click.argument("corpus", required=False, type=click.Path(path_type=Path))
def demo(corpus: Path | None) -> None:
    """Run the main job on CORPUS, or on photographs that installed packages carry."""
    if corpus is None:
        _clear_output()
        _on_crops()
    else:
        _on_folder(corpus.expanduser())


def _clear_output() -> None:
    """Remove what an earlier demo made, and nothing else."""
    _OUTPUT.mkdir(exist_ok=True)
    for name in ("corpus", "new", "workspace"):
        shutil.rmtree(_OUTPUT / name, ignore_errors=True)
    _SHEET.unlink(missing_ok=True)


def _on_crops() -> None:
    photographs = installed_photographs()
    n_indexed, n_new = write_crops(photographs, _OUTPUT / "corpus", _OUTPUT / "new")
    click.echo(
        f"Cut {n_indexed} tagged and {n_new} new pictures from {len(photographs)} photographs.\n"
    )
    note = _NOTE_CROPS.format(
        indexed=n_indexed, photographs=len(photographs), voters=_VOTERS_OF_CROPS
    )
    workspace = Workspace(_OUTPUT / "workspace")
    _build(workspace, str(_OUTPUT / "corpus"), _OUTPUT / "corpus")
    new = sorted((_OUTPUT / "new").glob("*.jpg"))
    _tag(workspace, new, note, min_voters=_VOTERS_OF_CROPS)


def _on_folder(root: Path) -> None:
    if root.resolve().is_relative_to(_OUTPUT.resolve()):
        raise InputError(
            f"{root} lies in {_OUTPUT}, which a demo clears; a folder of your own is accepted; "
            "copy the pictures elsewhere"
        )
    corpus = read_corpus(root)
    _clear_output()
    workspace = Workspace(_OUTPUT / "workspace")
    _build(workspace, printable_path(root), corpus)
    # Asked of the catalogue, not of the reader: it knows the keywords inside the files too.
    entries = workspace.entries()
    tagged = [entry.record.image_id for entry in entries if entry.record.tags]
    n_held = min(_HELD_OUT, len(tagged) // 4)
    if n_held == 0:
        _search_only(workspace, entries[0].record.path)
        return
    held = set(np.random.default_rng(0).choice(tagged, n_held, replace=False).tolist())
    rest = tuple(record for record in corpus.records if record.image_id not in held)
    click.echo(f"\nWithout {n_held} of them, which will be the new pictures:")
    n_indexed = _build(workspace, printable_path(root), replace(corpus, records=rest))
    new = [record.path for record in corpus.records if record.image_id in held]
    note = _NOTE_FOLDER.format(held=n_held, root=printable_path(root), indexed=n_indexed)
    _tag(workspace, new, note, min_voters=1)


def _build(workspace: Workspace, name: str, corpus: Path | Corpus) -> int:
    """Build and say so; return how many pictures are indexed."""
    click.echo(f"$ engine build {name} -w {workspace.root}")
    with ProgressBars() as progress:
        report = workspace.build(corpus, on_progress=progress)
    click.echo(summary(report))
    return report.n_indexed


def _tag(workspace: Workspace, new: list[Path], note: str, *, min_voters: int) -> None:
    click.echo(f"\n$ engine tag NEW ... --min-voters {min_voters} -w {workspace.root}")
    emission = Emission(min_voters=min_voters)
    answers = list(workspace.tag(new, emission=emission, explain=True))
    for answer in answers:
        click.echo(table(answer.unexplained()))
    write_contact_sheet(_SHEET, answers, title="Tagged by their neighbours", note=note)
    click.echo(
        f"\n{note}\n\nOpen {_SHEET} to see the pictures and who voted. Your turn: "
        f"engine tag PICTURE -w {workspace.root}"
    )


def _search_only(workspace: Workspace, picture: Path) -> None:
    click.echo(
        "\nHardly any picture there is tagged, so nothing can be tagged yet. Write tags beside "
        "some (photo.jpg.txt, a tag a line), or into them with any photo manager, and run this "
        "again. Searching works already:\n"
    )
    for answer in workspace.search([picture], k=5):
        click.echo(f"$ engine search {answer.query}")
        for found in answer.results:
            click.echo(f"  {found.distance:.3f}  {found.image_id}")


if __name__ == "__main__":
    try:
        demo.main(standalone_mode=False)
    except EngineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
