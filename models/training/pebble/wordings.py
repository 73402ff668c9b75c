"""Sentences for each relation: many for training, others that appear in the unseen-wordings test set only.

Placeholders: {b} the quantity defined, {a} and {c} its sources, {k} and {v} numbers, {i} the things, {f} a fraction, {t} a
multiple in words, {h} a verb for having. Any verb serves, some are made up: what a sentence says lies in its other words.
"""

FRACTIONS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 7: "a seventh", 8: "an eighth", 9: "a ninth"}
TIMES = {
    **{2: "twice", 3: "three times", 4: "four times", 5: "five times"},
    **{6: "six times", 7: "seven times", 8: "eight times", 9: "nine times"},
}
VERBS = "has has has has owns owns keeps carries stores possesses collects gathers".split()

# The plain way of saying it, most sentences.
PLAIN = {
    "base": ["{b} {h} {v} {i}.", "{b} starts with {v} {i}.", "There are {v} {i} in the bag of {b}."],
    "rate": ["{b} finds {v} {i} a day for {k} days.", "{b} buys {k} boxes of {v} {i} each."],
    "+": ["{b} {h} {k} more {i} than {a}.", "{b} {h} {k} {i} more than {a}.", "{b} {h} {k} more than {a}."],
    "-": ["{b} {h} {k} fewer {i} than {a}.", "{b} {h} {k} {i} less than {a}.", "{b} {h} {k} fewer than {a}."],
    "*": ["{b} {h} {k} times as many {i} as {a}.", "{b} {h} {k} times the {i} of {a}.", "{b} {h} {t} as many {i} as {a}."],
    "/": ["{b} {h} {f} as many {i} as {a}.", "{b} {h} {f} of the {i} of {a}.", "{b} {h} {f} as many as {a}."],
    "sum": ["{b} {h} as many {i} as {a} and {c} together.", "{b} {h} the {i} of {a} and {c} combined."],
    "ask one": ["How many {i} does {a} have?", "Find the number of {i} of {a}.", "How many {i} are there in the bag of {a}?"],
    "ask total": ["How many {i} do {a} and {c} have together?", "How many {i} do {a} and {c} have in total?"],
    "ask difference": ["How many more {i} does {a} have than {c}?", "By how many {i} is {a} ahead of {c}?"],
    "ask cost": [
        "Each of the {i} costs {k} dollars. How many dollars are the {i} of {a} worth?",
        "{a} sells all the {i} for {k} dollars each. How many dollars does {a} get?",
    ],
    "ask left": ["{a} gives away {k} {i}. How many {i} does {a} have left?", "{a} loses {k} {i}. How many are left?"],
    "ask share": ["{a} shares the {i} equally among {k} friends. How many {i} does each friend get?"],
    "distractor": ["{b} likes tea.", "{b} is {v} years old.", "The {i} are blue.", "{b} lives near a lake.", "It is day {v} of the month."],
}

FURTHER = {
    "base": [
        "The bag of {b} contains {v} {i}.",
        "{v} {i} belong to {b}.",
        "{b} {h} exactly {v} {i}.",
        "The number of {i} of {b} is {v}.",
        "Somebody gave {v} {i} to {b}.",
        "{b} counts {v} {i}.",
        "As for {b}, the number is {v}.",
        "{b} brought along {v} {i}.",
        "{b} found {v} {i}.",
        "{b} bought {v} {i} at the market.",
        "{b} picked {v} {i} this morning.",
    ],
    "rate": [
        "For {k} days, {b} finds {v} {i} a day.",
        "{b} fills {k} bags with {v} {i} each.",
        "{b} buys {v} {i} a week for {k} weeks.",
        "Each of the {k} boxes of {b} contains {v} {i}.",
        "{b} {h} {k} rows of {v} {i}.",
        "In each of {k} weeks, {b} makes {v} {i}.",
        "{b} puts {v} {i} on each of {k} tables.",
        "With {v} {i} in each, {b} {h} {k} bags.",
        "{b} picks {v} {i} an hour for {k} hours.",
        "{b} {h} {k} shelves, each with {v} {i}.",
    ],
    "+": [
        "Compared with {a}, {b} {h} {k} more {i}.",
        "{b} {h} as many {i} as {a} and {k} more.",
        "{b} {h} all that {a} {h}, plus {k} {i}.",
        "The number of {i} of {b} is {k} above that of {a}.",
        "{b} beats {a} by {k} {i}.",
        "{b} is ahead of {a} by {k} {i}.",
        "The bag of {b} contains {k} more {i} than that of {a}.",
        "Add {k} to the number of {a} and you know that of {b}.",
        "{b} {h} {k} {i} beyond those of {a}.",
        "{b} {h} the same number of {i} as {a}, plus {k}.",
        "{b} found {k} more {i} than {a} did.",
        "{b} {h} {k} more {i} than {a} does.",
    ],
    "-": [
        "Compared with {a}, {b} {h} {k} fewer {i}.",
        "{b} {h} as many {i} as {a} without {k}.",
        "The number of {i} of {b} is {k} below that of {a}.",
        "{b} is behind {a} by {k} {i}.",
        "{b} trails {a} by {k} {i}.",
        "The bag of {b} contains {k} fewer {i} than that of {a}.",
        "Take {k} from the number of {a} and you know that of {b}.",
        "{b} {h} what {a} would keep after selling {k} {i}.",
        "{b} {h} the same number of {i} as {a}, minus {k}.",
        "{b} found {k} fewer {i} than {a} did.",
        "{b} {h} {k} fewer {i} than {a} does.",
    ],
    "*": [
        "{b} {h} {t} the number of {i} of {a}.",
        "The number of {i} of {b} is {k} times that of {a}.",
        "Compared with {a}, {b} {h} {k} times as many {i}.",
        "The bag of {b} contains {t} as many {i} as that of {a}.",
        "Multiply the number of {a} by {k} and you know that of {b}.",
        "{k} bags like that of {a} make the {i} of {b}.",
        "{b} {h} {t} as many as {a}.",
        "{b} beats {a} by a factor of {k}.",
        "{b} {h} {t} what {a} {h}.",
        "{b} {h} {k} {i} where {a} {h} only one.",
        "{b} {h} {t} as many {i} as {a} does.",
        "{b} found {t} as many {i} as {a} did.",
    ],
    "/": [
        "The number of {i} of {b} is {f} of that of {a}.",
        "Compared with {a}, {b} {h} {f} as many {i}.",
        "The bag of {b} contains {f} as many {i} as that of {a}.",
        "Divide the number of {a} by {k} and you know that of {b}.",
        "{b} {h} only {f} of the number of {a}.",
        "Of {k} equal parts of the {i} of {a}, {b} {h} as many as one.",
        "{b} {h} {f} of what {a} {h}.",
        "{b} {h} one for every {k} {i} of {a}.",
        "{b} reaches {f} of the number of {a}.",
        "{b} {h} {f} as many {i} as {a} does.",
        "{b} found {f} as many {i} as {a} did.",
    ],
    "sum": [
        "The {i} of {a} and {c} make up the number of {b}.",
        "Add the {i} of {a} to those of {c} and you know those of {b}.",
        "The number of {i} of {b} is that of {a} plus that of {c}.",
        "{b} {h} the sum of the {i} of {a} and {c}.",
        "The bag of {b} contains as many {i} as those of {a} and {c}.",
        "{b} {h} what {a} and {c} would have if they shared.",
        "{b} {h} as many as {a} plus {c}.",
        "If {a} and {c} put their {i} in one bag, {b} would be level with it.",
        "{b} {h} as many {i} as {a} and {c} do together.",
        "{b} found as many {i} as {a} and {c} did together.",
    ],
    "ask one": [
        "How many {i} belong to {a}?",
        "Say how many {i} {a} {h}.",
        "Count the {i} of {a}.",
        "{a} {h} how many {i}?",
        "How many {i} can {a} count?",
        "How large is the bag of {a}?",
        "How many {i} did {a} find?",
        "What number of {i} does {a} have?",
    ],
    "ask total": [
        "What is the sum of the {i} of {a} and {c}?",
        "How many {i} are in the bags of {a} and {c}?",
        "Add up the {i} of {a} and {c}.",
        "Counting those of {a} and those of {c}, how many {i} are there?",
        "{a} and {c} put their {i} in one bag. How many are there?",
        "Find the total of {a} and {c}.",
        "How many {i} did {a} and {c} find together?",
        "How many {i} do {a} and {c} have altogether?",
    ],
    "ask difference": [
        "What is the difference between the {i} of {a} and {c}?",
        "How many {i} does {c} need to reach {a}?",
        "How far is {c} behind {a}?",
        "Compared with {c}, how many more {i} does {a} have?",
        "By how much does {a} beat {c}?",
        "Find how many {i} {a} {h} beyond those of {c}.",
        "How many more {i} did {a} find than {c}?",
    ],
    "ask cost": [
        "If each of the {i} costs {k} dollars, what must one pay for those of {a}?",
        "Somebody pays {a} {k} dollars for each of the {i}. How much does {a} get?",
        "How many dollars does {a} make by selling all {i} for {k} dollars each?",
        "What would it cost to buy the {i} of {a} for {k} dollars each?",
        "One costs {k} dollars. Find the price of all {i} of {a}.",
        "The price of one is {k} dollars. How many dollars would all {i} of {a} cost?",
    ],
    "ask left": [
        "After {a} gives away {k} {i}, how many remain?",
        "Somebody takes {k} {i} from {a}. How many {i} does {a} still have?",
        "If {a} sold {k} {i}, how many would remain?",
        "{a} drops {k} {i} in a lake. How many remain?",
        "{k} {i} of {a} break. How many are whole?",
        "{a} eats {k} {i}. How many {i} does {a} have now?",
        "{a} sells {k} {i}. How many {i} are left?",
    ],
    "ask share": [
        "{a} splits all {i} in {k} equal parts. How many {i} are in one part?",
        "{a} puts the {i} in {k} equal bags. How many are in each bag?",
        "If {a} gave the {i} to {k} children in equal shares, how many would one child get?",
        "Divide the {i} of {a} among {k} people. What does one of them get?",
        "{a} and some friends, {k} people, share the {i} of {a} equally. How many does each get?",
    ],
    "distractor": ["The street of {b} has {v} houses.", "{b} went to school for {v} years.", "The weather was fine.", "{b} met a friend."],
}

# After a sentence about the quantity meant; {a} is not said again.
ELLIPTIC = {
    "+": ["{b} {h} {k} more.", "{b} {h} {k} {i} more.", "{b} {h} {k} more {i}."],
    "-": ["{b} {h} {k} fewer.", "{b} {h} {k} {i} less.", "{b} {h} {k} fewer {i}."],
    "*": ["{b} {h} {t} as many.", "{b} {h} {k} times as many.", "{b} {h} {t} as many {i}.", "{b} {h} {k} times as many {i}."],
    "/": ["{b} {h} {f} as many.", "{b} {h} {f} as many {i}.", "{b} {h} {f} of that."],
    "ask total": ["How many {i} do they have together?", "How many do they have together?", "How many {i} do they have in total?"],
}


def _mixed(kind: str, plainly: int) -> list[str]:
    """All sentences of a kind, repeated so often that `plainly` in ten are plain."""
    plain, further = PLAIN[kind], FURTHER[kind]
    return plain * (plainly * len(further)) + further * ((10 - plainly) * len(plain))


USUAL = {kind: _mixed(kind, 7) for kind in PLAIN}
# What is harder is practised more often than it is asked.
TRAINING = {kind: _mixed(kind, 5) for kind in PLAIN}

HELD_OUT = {
    **TRAINING,
    "base": ["{b} holds {v} {i}.", "In the bag of {b} there are {v} {i}."],
    "rate": ["{b} gets {v} {i} each day for {k} days.", "{b} has {k} boxes with {v} {i} each."],
    "+": ["{b} has more {i} than {a}, {k} more.", "{b} has {k} {i} on top of as many as {a}."],
    "-": ["{b} has fewer {i} than {a}, {k} fewer.", "{b} lacks {k} {i} to have as many as {a}."],
    "*": ["{b} holds {k} times as many as {a}.", "For each of the {i} of {a}, {b} has {k}."],
    "/": ["{b} holds {f} as many {i} as {a}.", "{b} has just {f} of what {a} has."],
    "sum": ["{b} has as many {i} as both {a} and {c}.", "Together, {a} and {c} have as many {i} as {b}."],
    "ask one": ["What is the number of {i} of {a}?"],
    "ask total": ["What do {a} and {c} have in total?", "Together, how many {i} do {a} and {c} have?"],
    "ask difference": ["{a} has how many more {i} than {c}?"],
    "ask cost": ["At {k} dollars each, how many dollars are the {i} of {a} worth?"],
    "ask left": ["How many {i} are left when {a} gives away {k}?"],
    "ask share": ["{k} friends share the {i} of {a} equally. How many does each get?"],
}
