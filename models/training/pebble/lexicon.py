"""Names, things and made-up names. The held-out lists appear in test sets only."""

import random

from .wordings import VERBS

NAMES = (
    "Ann Ben Cara Dan Eve Finn Gus Hana Ivan Jill Kai Lena Max Nora Omar Pia Quin Rosa Sam Tess Uma Vera Will Yara Zed "
    "Amy Bob Cleo Dora Emil Fay Greg Ida Jon Kim Leo Mia Ned Olga Paul Rita Stan Tina Vic Wes Zoe Alan Beth Carl Dina "
    "Erik Flora Gina Hugo Iris Jack Kate Luke Mary Nick Opal Pete Ruth Sara Tom Una Vlad Wanda Yuri Zara"
).split()
HELD_OUT_NAMES = (
    "Otto Anita Bruno Celia Derek Elsa Frank Greta Henry Ilse Jamal Karin Liam Mona Nils Oskar Petra Ralf Sonia Tarek "
    "Ursula Victor Wilma Xenia Yusuf Zelda Akira Bella Conor Daisy Edgar Freya Gavin Helga Igor Judith Keiko Lars"
).split()
THINGS = (
    "apples books coins pens cards shells stamps cups rings keys marbles stickers eggs cookies plums pins beads nuts "
    "roses lemons boxes balls hats maps"
).split()
HELD_OUT_THINGS = "kites candles buttons pebbles spoons ribbons tickets acorns magnets feathers".split()

# How often all names of a problem begin with one of four letters at most, and how often initials may repeat by chance. What
# such names cost a small model is no reasoning, and what it confuses once it confuses again.
CROWDED = 0.06
SHARED = 0.15

_FORBIDDEN = frozenset([*HELD_OUT_NAMES, *HELD_OUT_THINGS])
_CONSONANTS = "bcdfghjklmnprstvwz"
_LETTERS = "aaaabcddeeeefghhiiiijkkllllmmnnnooooprrrsssttuuvwxyz"
_INITIALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Letters that stand together in words, so that any piece that the tokenizer knows can be a piece of a name.
_WORDS = (
    "together equally dollars friends number between difference month houses street weather school children quarter "
    "third combined compared contains exactly somebody counting multiply factor behind ahead level fewer tables weeks"
).split()


def made_up_name(rng: random.Random, initials: str = _INITIALS) -> str:
    """A name of 2 to 8 letters that no list holds: it can only be copied, never known. Some have letters in any order, as
    names of other languages seem to, some a part of another word, so that no spelling is strange."""
    while True:
        initial = rng.choice(initials)
        length = rng.choice((1, 2, 2, 3, 3, 4, 4, 5))
        kind = rng.random()
        if kind < 0.25:
            tail = "".join(rng.choices(_LETTERS, k=length))
        elif kind < 0.5:
            tail = _part(rng, length + 1)
        else:
            tail = _syllables(rng, initial, length)
        if initial + tail not in _FORBIDDEN:
            return initial + tail


def _part(rng: random.Random, length: int) -> str:
    word = rng.choice(rng.choice((_WORDS, THINGS, NAMES))).lower()
    start = rng.randrange(max(1, len(word) - length + 1))
    return word[start : start + length]


def _syllables(rng: random.Random, initial: str, length: int) -> str:
    vowel_next = initial not in "AEIOU"
    tail = ""
    for _ in range(length):
        tail += rng.choice("aeiou") if vowel_next else rng.choice(_CONSONANTS)
        vowel_next = not vowel_next or rng.random() < 0.1
    return tail + (rng.choice("nrstla") if rng.random() < 0.2 else "")


def names_for_training(rng: random.Random, count: int) -> list[str]:
    """Distinct names, seventy per cent made up."""
    if rng.random() < 0.3:
        return _distinct(rng, count, NAMES)
    # Names that begin alike are told apart by their ends only, which has to be practised.
    initials = "".join(rng.sample(_INITIALS, rng.randint(1, 4))) if rng.random() < CROWDED else _INITIALS
    return _distinct(rng, count, lambda: made_up_name(rng, initials), crowded=len(initials) < count)


def thing_for_training(rng: random.Random) -> str:
    """One time in four a made-up word: what is counted matters to no answer."""
    if rng.random() < 0.75:
        return rng.choice(THINGS)
    word = made_up_name(rng).lower() + "s"
    return rng.choice(THINGS) if word in _FORBIDDEN else word


def thing_held_out(rng: random.Random) -> str:
    return rng.choice(HELD_OUT_THINGS)


def names_held_out(rng: random.Random, count: int) -> list[str]:
    return _distinct(rng, count, HELD_OUT_NAMES)


def verb_for_training(rng: random.Random) -> str:
    """One time in eight a made-up word."""
    word = made_up_name(rng).lower() + "s"
    return rng.choice(VERBS) if rng.random() < 0.875 or word in _FORBIDDEN else word


def _distinct(rng: random.Random, count: int, names, crowded: bool = False) -> list[str]:
    """`names`: a list, or a function that makes one up."""
    pick = names if callable(names) else lambda: rng.choice(names)
    shared_initials = crowded or rng.random() < SHARED
    chosen: list[str] = []
    while len(chosen) < count:
        name = pick()
        if name not in chosen and (shared_initials or all(name[0] != other[0] for other in chosen)):
            chosen.append(name)
    return chosen
