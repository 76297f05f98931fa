"""Options of ``engine tag`` that go beyond the tags people gave: other words, kinds, near words."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.commands.options import tags_named, vectors_option
from engine.results import TagAnswer
from indexing.names import did_you_mean

if TYPE_CHECKING:
    from engine.tagger import Tagger

__all__ = ["Beyond", "beyond_options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """What is asked for beside the tags that a learner gives.

    Parameters
    ----------
    words : tuple of str
        To be scored in place of tags; empty = tags are.
    expand, unchecked, hierarchy : bool
    vectors, wordnet : Path or None
        Where word vectors and WordNet are; None = where they usually are.
    """

    words: tuple[str, ...]
    expand: bool
    unchecked: bool
    hierarchy: bool
    vectors: Path | None
    wordnet: Path | None

    def check(self, others: Mapping[str, object]) -> None:
        """Refuse options that do not go with scoring words.

        Parameters
        ----------
        others : mapping of str to object
            Other options by name, with their values.

        Raises
        ------
        UsageError
            One of `others` is set, or what is added to tags, and words are asked for at once.
        """
        added = {"expand": self.expand, "hierarchy": self.hierarchy}
        refused = {**others, **added} if self.words else {}
        for name, value in refused.items():
            if value:
                raise click.UsageError(
                    f"--words and --{name} were given; --words scores those words and nothing "
                    "else; leave one of them out"
                )
        if self.unchecked and not self.expand:
            raise click.UsageError(
                "--unchecked was given without --expand; it says which near words --expand adds; "
                "give both, or neither"
            )

    def word_answers(
        self,
        images: Sequence[Path],
        tagger: "Tagger | None",
        learner: str | None,
        device: str,
        top: int | None,
    ) -> Iterator[TagAnswer]:
        """Score the words for each picture; those of which nothing is known are named on stderr."""
        from engine.progress import waiting
        from engine.word_tagging import WordTagger
        from learners.words import open_word_vectors

        opened = open_word_vectors(self.vectors)
        tagging = WordTagger(opened, tagger, device, waiting, learner=learner)
        if learner is not None and (reason := tagging.unheard) is not None:
            click.echo(f"{learner} is not heard with --words: {reason}", err=True)
        missing = tagging.missing(self.words)
        if len(missing) < len(set(self.words)):
            if missing:
                click.echo(
                    f"{', '.join(missing)}: nothing is known of it in {opened.source}, left out",
                    err=True,
                )
            for word, tag in tagging.meant(self.words).items():
                click.echo(f"{word}: {did_you_mean([tag])}", err=True)
        return tagging.tag(images, self.words, top)

    def added(
        self,
        answers: Iterator[TagAnswer],
        images: Sequence[Path],
        tagger: "Tagger | None",
        device: str,
    ) -> Iterator[TagAnswer]:
        """Add near words and kinds to answers, where they are asked for."""
        if not self.expand and not self.hierarchy:
            return answers
        from engine.progress import waiting
        from learners.words import open_word_vectors

        opened = open_word_vectors(self.vectors)
        if self.hierarchy:
            # Before any work: whether WordNet is there.
            from engine.hierarchy import Hierarchy
            from indexing.words import open_wordnet

            hierarchy = Hierarchy(open_wordnet(self.wordnet), opened)
        if self.expand:
            from engine.word_tagging import ExpansionRule, WordTagger

            rule = ExpansionRule.PAPER if self.unchecked else ExpansionRule.CHECKED
            tagging = WordTagger(opened, tagger, device, waiting)
            answers = tagging.expanded(answers, images, rule)
        if self.hierarchy:
            answers = (answer.with_tags(hierarchy(answer.tags)) for answer in answers)
        return answers


def beyond_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, which reach the command as one ``beyond``."""

    @click.option(
        "--words",
        callback=tags_named,
        multiple=True,
        metavar="A,B",
        help="Score these words instead of tags, whether anybody ever used them or not.",
    )
    @click.option(
        "--expand",
        is_flag=True,
        help="Add words near the tags by word vectors, if the picture supports them.",
    )
    @click.option(
        "--unchecked",
        is_flag=True,
        help="With --expand: add the two nearest words of each tag, whatever the picture shows.",
    )
    @click.option(
        "--hierarchy",
        is_flag=True,
        help="Add what the tags are kinds of, by WordNet (Debian's wordnet-base).",
    )
    @vectors_option
    @click.option(
        "--wordnet",
        type=click.Path(path_type=Path, readable=False),
        metavar="FOLDER",
        help="Where WordNet's noun files are; else $WNSEARCHDIR, else where Debian puts them.",
    )
    @functools.wraps(command)
    def packed(
        words: tuple[str, ...],
        expand: bool,
        unchecked: bool,
        hierarchy: bool,
        vectors: Path | None,
        wordnet: Path | None,
        **others: Any,
    ) -> Any:
        beyond = Beyond(
            words=words,
            expand=expand,
            unchecked=unchecked,
            hierarchy=hierarchy,
            vectors=vectors,
            wordnet=wordnet,
        )
        return command(beyond=beyond, **others)

    return packed
