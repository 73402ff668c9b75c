"""Names, things and made-up names. The held-out lists appear in test sets only."""

import random

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

_FORBIDDEN = frozenset([*HELD_OUT_NAMES, *HELD_OUT_THINGS])
_CONSONANTS = "bcdfghjklmnprstvwz"
_LETTERS = "aaaabcddeeeefghhiiiijkkllllmmnnnooooprrrsssttuuvwxyz"
_INITIALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def made_up_name(rng: random.Random) -> str:
    """A name of 2 to 7 letters that no list holds: it can only be copied, never known. A third have letters in any order,
    as names of other languages seem to, so that no spelling is strange."""
    while True:
        initial = rng.choice(_INITIALS)
        length = rng.choice((1, 2, 2, 3, 3, 4, 4, 5))
        tail = "".join(rng.choices(_LETTERS, k=length)) if rng.random() < 0.35 else _syllables(rng, initial, length)
        if initial + tail not in _FORBIDDEN:
            return initial + tail


def _syllables(rng: random.Random, initial: str, length: int) -> str:
    vowel_next = initial not in "AEIOU"
    tail = ""
    for _ in range(length):
        tail += rng.choice("aeiou") if vowel_next else rng.choice(_CONSONANTS)
        vowel_next = not vowel_next or rng.random() < 0.1
    return tail + (rng.choice("nrstla") if rng.random() < 0.2 else "")


def names_for_training(rng: random.Random, count: int) -> list[str]:
    """Distinct names, half the time made up; initials rarely repeat within a problem."""
    pick = (lambda: rng.choice(NAMES)) if rng.random() < 0.4 else (lambda: made_up_name(rng))
    return _distinct(rng, count, pick)


def thing_for_training(rng: random.Random) -> str:
    """One time in four a made-up word: what is counted matters to no answer."""
    if rng.random() < 0.75:
        return rng.choice(THINGS)
    word = made_up_name(rng).lower() + "s"
    return rng.choice(THINGS) if word in _FORBIDDEN else word


def thing_held_out(rng: random.Random) -> str:
    return rng.choice(HELD_OUT_THINGS)


def names_held_out(rng: random.Random, count: int) -> list[str]:
    return _distinct(rng, count, lambda: rng.choice(HELD_OUT_NAMES))


def _distinct(rng: random.Random, count: int, pick) -> list[str]:
    shared_initials = rng.random() < 0.2
    names: list[str] = []
    while len(names) < count:
        name = pick()
        if name in names or (not shared_initials and any(name[0] == other[0] for other in names)):
            continue
        names.append(name)
    return names
