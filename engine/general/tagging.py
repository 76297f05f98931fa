"""Tag pictures where nothing was built: with general words, from the network's own classes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.emission import Emission
from engine.general.texture import TEXTURE, looks_the_same_everywhere
from engine.general.vocabulary import GeneralWords, load_general_words
from engine.queries import Unreadable, read_squares
from engine.results import RankedTag, TagAnswer
from indexing.ahead import run_ahead
from indexing.errors import InputError
from indexing.extractors import open_extractor
from indexing.extractors.network import NetworkExtractor
from indexing.extractors.table import DEFAULT_EXTRACTOR
from indexing.records import printable_path

__all__ = ["GENERAL", "GeneralTagger"]

GENERAL = "general"
"""Who answers where there is no workspace, as answers name it."""

_TEXTURE_WEIGHT = 5.0
# Words that are less likely are not answered unless they are asked for; the first one always is.
_LEAST_PROBABILITY = 0.1
# Pictures that are answered together; more would only delay the first answer.
_TOGETHER = 32


class GeneralTagger:
    """Answers with general words, by what the default network was trained to tell apart.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        Where the network runs.
    waiting : callable, optional
        Given what takes long, a context that lasts as long; by default nobody is told.
    """

    def __init__(
        self,
        device: str = "auto",
        waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._device = device
        self._waiting = waiting

    @cached_property
    def extractor(self) -> NetworkExtractor:
        """The network."""
        with self._waiting(f"opening {DEFAULT_EXTRACTOR} (compiled once, then kept)"):
            extractor = open_extractor(DEFAULT_EXTRACTOR, self._device)
        if not isinstance(extractor, NetworkExtractor) or not extractor.n_classes:
            raise InputError(
                f"{DEFAULT_EXTRACTOR} tells no classes apart here; a network with a classifier is "
                "accepted where nothing was built; build a workspace: engine build PICTURES"
            )
        return extractor

    @cached_property
    def words(self) -> GeneralWords:
        """What it answers with."""
        return load_general_words()

    def tag(
        self, images: Sequence[str | Path], emission: Emission | None = None
    ) -> Iterator[TagAnswer]:
        r"""Answer with general words for each picture, in order.

        A word scores its probability times what it is worth to hear it
        (:class:`engine.general.vocabulary.GeneralWords`); a picture that looks the same
        everywhere is a texture. Unless so many are asked for, those that are right with a
        probability of 0.1 are answered, five at most, and the best one in any case.

        Parameters
        ----------
        images : sequence of path
        emission : Emission, optional
            ``top`` and ``threshold`` are looked at.

        Yields
        ------
        TagAnswer
            With ``error`` set where a picture cannot be read.
        """
        emission = emission or Emission()
        framing = self.extractor.framing
        started = time.perf_counter()
        for start in range(0, len(images), _TOGETHER):
            part = images[start : start + _TOGETHER]
            with closing(run_ahead(part, lambda image: read_squares(image, [framing]))) as reading:
                seen = [read for _, read in reading]
            readable = [one.squares[framing] for one in seen if not isinstance(one, Unreadable)]
            answers = iter(self._answers(readable, emission))
            seconds = (time.perf_counter() - started) / max(1, len(readable))
            for image, read in zip(part, seen, strict=True):
                shown = printable_path(image)
                if isinstance(read, Unreadable):
                    yield TagAnswer(shown, GENERAL, error=read.error)
                else:
                    yield TagAnswer(shown, GENERAL, next(answers), seconds)
            started = time.perf_counter()

    def _answers(
        self, squares: Sequence[NDArray[np.uint8]], emission: Emission
    ) -> list[tuple[RankedTag, ...]]:
        if not squares:
            return []
        pixels = np.stack(squares)
        of_classes = self.extractor.classify(pixels)
        textures = np.array([looks_the_same_everywhere(square) for square in squares])
        words = (*self.words.words, TEXTURE)
        likely = np.column_stack([self.words.probabilities(of_classes), textures])
        scores = likely * np.append(self.words.weights, np.float32(_TEXTURE_WEIGHT))
        return [
            tuple(
                RankedTag(tag=words[column], score=float(score[column]))
                for column in _emitted(score, probability, emission)
            )
            for score, probability in zip(scores, likely, strict=True)
        ]


def _emitted(
    scores: NDArray[np.float32], likely: NDArray[np.float32], emission: Emission
) -> list[int]:
    """Return the columns of the words that are answered, best first."""
    order = np.argsort(-scores, kind="stable")
    least = -np.inf if emission.threshold is None else emission.threshold
    allowed = scores >= least
    if emission.is_default:
        allowed = likely >= _LEAST_PROBABILITY
        allowed[order[0]] = True
    most = int(emission.most((1, len(scores)), None)[0])
    return [int(column) for column in order if allowed[column]][:most]
