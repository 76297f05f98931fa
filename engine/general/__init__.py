"""Tags where nothing was built yet: general words, from what the network was trained to tell."""

from engine.general.tagging import GENERAL, GeneralTagger
from engine.general.vocabulary import GeneralWords, load_general_words

__all__ = ["GENERAL", "GeneralTagger", "GeneralWords", "load_general_words"]
