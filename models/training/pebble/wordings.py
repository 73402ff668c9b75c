"""Sentences for each relation: several for training, others that appear in the unseen-wordings test set only.

Placeholders: {b} the quantity defined, {a} and {c} its sources, {k} and {v} numbers, {i} the things, {f} a fraction.
"""

FRACTIONS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth"}
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}

TRAINING = {
    "base": ["{b} has {v} {i}.", "{b} owns {v} {i}.", "{b} starts with {v} {i}.", "There are {v} {i} in the bag of {b}."],
    "rate": ["{b} finds {v} {i} a day for {k} days.", "{b} buys {k} boxes of {v} {i} each."],
    "+": ["{b} has {k} more {i} than {a}.", "{b} has {k} {i} more than {a}.", "{b} owns {k} more than {a}."],
    "-": ["{b} has {k} fewer {i} than {a}.", "{b} has {k} {i} less than {a}.", "{b} owns {k} fewer than {a}."],
    "*": ["{b} has {k} times as many {i} as {a}.", "{b} has {k} times the {i} of {a}.", "{b} owns {t} as many {i} as {a}."],
    "/": ["{b} has {f} as many {i} as {a}.", "{b} has {f} of the {i} of {a}.", "{b} owns {f} as many as {a}."],
    "sum": ["{b} has as many {i} as {a} and {c} together.", "{b} has the {i} of {a} and {c} combined."],
    "ask one": ["How many {i} does {a} have?", "Find the number of {i} of {a}.", "How many {i} are there in the bag of {a}?"],
    "ask total": ["How many {i} do {a} and {c} have together?", "How many {i} do {a} and {c} have in total?"],
    "ask difference": ["How many more {i} does {a} have than {c}?", "By how many {i} is {a} ahead of {c}?"],
    "ask cost": [
        "Each of the {i} costs {k} dollars. How many dollars are the {i} of {a} worth?",
        "{a} sells all the {i} for {k} dollars each. How many dollars does {a} get?",
    ],
    "ask left": [
        "{a} gives away {k} {i}. How many {i} does {a} have left?",
        "{a} loses {k} {i}. How many are left?",
    ],
    "ask share": ["{a} shares the {i} equally among {k} friends. How many {i} does each friend get?"],
    "distractor": ["{b} likes tea.", "{b} is {v} years old.", "The {i} are blue.", "{b} lives near a lake.", "It is day {v} of the month."],
}

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
