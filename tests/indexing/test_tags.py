"""When two texts are one tag, against plain loops and against Unicode itself."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from indexing.tags import clean_tag, display_spellings, merge_tags, tag_key

# Letters whose case, composition or width is not one to one, and four kinds of white space.
letters = "aAeEs\u0301é\u00df\u1e9e\u017f\u0131\u0130\u03a3\u03c3\u03c2\u01c5\u0345"
texts = st.text(st.sampled_from(letters + " \t\u00a0\u3000"), max_size=6)


def test_white_space_of_every_kind_is_collapsed() -> None:
    assert clean_tag("\u3000New \t\r\n\u00a0York\u2009") == "New York"
    assert clean_tag("\u200a\n") == ""


def test_spellings_of_one_tag() -> None:
    assert len({tag_key(text) for text in ("Straße", "STRASSE", " strasse ", "straSSe")}) == 1
    assert tag_key("Cafe\u0301") == tag_key("CAFÉ") == "café"
    assert tag_key("sea side") != tag_key("seaside")


@given(texts)
def test_keys_are_stable(text: str) -> None:
    key = tag_key(text)
    assert tag_key(key) == key
    assert tag_key(clean_tag(text)) == key
    assert tag_key(unicodedata.normalize("NFD", text)) == key
    assert clean_tag(clean_tag(text)) == clean_tag(text)


def test_keys_are_stable_for_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        key = tag_key(chr(code))
        assert tag_key(key) == key, hex(code)


@given(st.lists(texts, max_size=8))
def test_merging_keeps_the_first_of_each(tags: list[str]) -> None:
    kept: list[str] = []
    for tag in tags:
        spelling = " ".join(unicodedata.normalize("NFC", tag).split())
        if spelling and all(tag_key(other) != tag_key(spelling) for other in kept):
            kept.append(spelling)
    assert merge_tags(tags) == tuple(kept)
    assert merge_tags(merge_tags(tags)) == merge_tags(tags)


@given(st.lists(st.lists(st.sampled_from(["Sea", "sea", "SEA", " sea", "Sky", ""])), max_size=6))
def test_the_most_frequent_spelling_is_shown(tag_lists: list[list[str]]) -> None:
    flat = [" ".join(tag.split()) for tags in tag_lists for tag in tags]
    expected = {}
    for key in ("sea", "sky"):
        spellings = [tag for tag in flat if tag.lower() == key]
        if spellings:
            # Small letters sort after capitals: of the most frequent the last has fewest.
            expected[key] = max(sorted(set(spellings), reverse=True), key=spellings.count)
    shown = display_spellings(tag_lists)
    assert shown == expected
    assert list(shown) == sorted(shown)


def test_control_characters_never_reach_a_terminal() -> None:
    assert clean_tag("\x1b[31mred\x00\tsea\x07") == "[31mred sea"
    assert merge_tags(["\x1b", "\x07sea", "sea"]) == ("sea",)
