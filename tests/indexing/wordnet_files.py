"""A WordNet of a dozen nouns, in the layout of wndb(5WN)."""

from pathlib import Path

#: name -> lexicographer file, words, hypernyms, gloss
SYNSETS = {
    "entity": (3, ["entity"], [], "that which is"),
    "animal": (3, ["animal", "beast"], ["entity"], "a living thing that moves"),
    "feline": (5, ["feline", "felid"], ["animal"], "any of various lithe hunters"),
    "cat": (5, ["cat", "true_cat"], ["feline"], "a feline with thick fur"),
    "tabby": (5, ["tabby", "tabby_cat"], ["cat"], "a cat with a striped coat"),
    "tiger": (5, ["tiger", "Panthera_tigris"], ["feline"], "a large striped feline of forests"),
    "lion": (5, ["lion", "king_of_beasts"], ["feline"], "a large tawny feline"),
    "seal": (5, ["seal"], ["animal"], "a sea animal"),
    "sea lion": (5, ["sea_lion"], ["seal"], "an eared seal"),
    "clothing": (6, ["clothing"], ["entity"], "a covering"),
    "helmet": (6, ["helmet"], ["clothing"], "it protects the head"),
    "person": (18, ["person"], ["entity"], "a human being"),
    "fierce person": (18, ["tiger"], ["person"], "a fierce or audacious person"),
    "leaf": (20, ["leaf"], ["entity"], "it is green"),
}
#: word -> synsets by number of sense, and how often each was counted
SENSES = {"tiger": [("fierce person", 1), ("tiger", 1)], "cat": [("cat", 18)]}
EXCEPTIONS = {"leaves": "leaf"}


def write_wordnet(folder: Path) -> Path:
    """Write the four files; returns their folder."""
    header = "  1 A licence, a line of it.\n"
    offsets: dict[str, int] = {}
    lines: list[str] = []
    for _ in range(2):  # offsets have a fixed width, so the second turn has them all right
        lines, place = [], len(header)
        for name, (domain, words, hypernyms, gloss) in SYNSETS.items():
            numbered = " ".join(f"{word} 0" for word in words)
            pointers = [f"@ {offsets.get(above, 0):08d} n 0000" for above in hypernyms]
            pointers.append(f"~ {0:08d} n 0000")  # a hyponym, which nobody asks for
            line = (
                f"{place:08d} {domain:02d} n {len(words):02x} {numbered} "
                f"{len(pointers):03d} {' '.join(pointers)} | {gloss}  \n"
            )
            offsets[name] = place
            place += len(line)
            lines.append(line)
    (folder / "data.noun").write_text(header + "".join(lines), encoding="ascii")
    by_word: dict[str, list[str]] = {}
    for name, (_, words, _, _) in SYNSETS.items():
        for word in words:
            by_word.setdefault(word.lower(), []).append(name)
    by_word |= {word: [name for name, _ in senses] for word, senses in SENSES.items()}
    index = []
    for word, names in sorted(by_word.items()):
        numbers = " ".join(f"{offsets[name]:08d}" for name in names)
        index.append(f"{word} n {len(names)} 1 @ {len(names)} 1 {numbers}  \n")
    (folder / "index.noun").write_text(header + "".join(index), encoding="ascii")
    counts = [
        f"{word}%1:05:{number:02d}:: {number} {count}\n"
        for word, senses in sorted(SENSES.items())
        for number, (_, count) in enumerate(senses, start=1)
    ]
    (folder / "cntlist.rev").write_text("".join(counts), encoding="ascii")
    exceptions = "".join(f"{form} {lemma}\n" for form, lemma in sorted(EXCEPTIONS.items()))
    (folder / "noun.exc").write_text(exceptions, encoding="ascii")
    return folder
