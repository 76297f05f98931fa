"""``engine words``: what is near a word, and word vectors from one's own tags."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from engine.commands.group import NamedCommands
from engine.commands.options import json_option, vectors_option
from engine.commands.wording import counted

__all__ = ["fit", "near", "words"]


@click.group(cls=NamedCommands)
def words() -> None:
    """Look into word vectors, or train some on the tags of a corpus.

    \b
    Example:
      engine words near tiger
      engine words fit ~/Pictures --out my-words
    """  # noqa: D301 - click reads the backspace


@words.command()
@click.argument("word")
@click.option(
    "-n",
    "n_words",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="How many words.",
)
@vectors_option
@json_option
def near(word: str, n_words: int, vectors: Path | None, as_json: bool) -> None:
    """Show the words that are nearest to a word, with their cosines.

    \b
    Example:
      engine words near tiger -n 5
    """  # noqa: D301 - click reads the backspace
    from learners.words import open_word_vectors

    opened = open_word_vectors(vectors)
    found = opened.nearest(word, n_words)
    if as_json:
        near_words = [{"word": near, "cosine": round(cosine, 6)} for near, cosine in found]
        answer = {"word": word, "vectors": opened.source, "near": near_words}
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    taken = " ".join(opened.words_of(word).known)
    click.echo(f"{word}  ({opened.source}{f'; taken for {taken}' * (taken != word)})")
    for near_word, cosine in found:
        click.echo(f"  {cosine:.3f}  {near_word}")


@words.command()
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("words"),
    show_default=True,
    metavar="FOLDER",
    help="Where the vectors are written; a folder that is not there yet.",
)
@click.option("--from-nothing", is_flag=True, help="Start from no vectors instead of given ones.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Passes over all pairs of words.",
)
@vectors_option
@json_option
def fit(
    corpus: Path,
    out: Path,
    from_nothing: bool,
    epochs: int | None,
    vectors: Path | None,
    as_json: bool,
) -> None:
    """Train word vectors (GloVe) on the tags of a corpus, from given ones on.

    Words of the corpus move towards those they are tagged with, and words that the given vectors
    lack get one. Name the folder with --vectors afterwards.

    \b
    Example:
      engine words fit ~/Pictures --out my-words
      engine words near kite --vectors my-words
    """  # noqa: D301 - click reads the backspace
    from engine.fitting_words import fit_words
    from engine.progress import ProgressBars
    from learners.words import open_word_vectors
    from learners.words.glove import GloveSettings

    settings = GloveSettings() if epochs is None else GloveSettings(epochs=epochs)
    given = None if from_nothing else open_word_vectors(vectors)
    with ProgressBars() as progress:
        report = fit_words(corpus, out.expanduser(), given, settings, progress)
    if as_json:
        click.echo(json.dumps(asdict(report), ensure_ascii=False))
        return
    new = f", {counted(report.n_new, 'of them new', 'of them new')}"
    click.echo(
        f"{counted(report.n_words, 'word')} from the tags of "
        f"{counted(report.n_pictures, 'picture')}{new}\n"
        f"{report.folder} holds {counted(report.n_all, 'word')}: engine words near WORD --vectors "
        f"{report.folder}"
    )
