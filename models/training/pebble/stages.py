"""What each stage of the training is made of, and how fast it learns."""

from dataclasses import dataclass

from .batches import Mixture


@dataclass(frozen=True)
class Stage:
    """The learning rate goes linearly from the first to the last value of `rates` (times --lr) over the stage."""

    mixture: Mixture
    rates: tuple[float, float]


STEPS = {
    **{1: 0.04, 2: 0.07, 3: 0.12, 4: 0.16, 5: 0.18},
    **{6: 0.17, 7: 0.13, 8: 0.08, 9: 0.04, 10: 0.01},
}
# As long as what is asked of a trained model.
LATE_STEPS = {
    **{1: 0.02, 2: 0.04, 3: 0.06, 4: 0.08, 5: 0.1},
    **{6: 0.13, 7: 0.16, 8: 0.17, 9: 0.15, 10: 0.09},
}
ROLES = {
    **{"verify": 0.13, "review": 0.18, "refine": 0.12, "judge": 0.07, "compare": 0.09},
    **{"aggregate": 0.03, "select": 0.02, "recheck": 0.02},
}
# Copying stays in every mixture: what was left out of one was forgotten.
PRACTICE = {"copy": 0.02, "find": 0.03, "read": 0.04, "link": 0.05, "sum": 0.03, "work": 0.03, "check": 0.04, "proof": 0.06}
# Half of what is read is arithmetic alone, where the verdicts are half wrong: in whole solutions nearly every line is right.
LATE = Mixture(
    {
        **PRACTICE,
        **{"read": 0.09, "link": 0.07, "check": 0.06, "proof": 0.07, "solve": 0.28},
        **{"verify": 0.12, "review": 0.19, "refine": 0.06, "judge": 0.06},
        **{"compare": 0.08, "aggregate": 0.02, "select": 0.02, "recheck": 0.03},
    },
    LATE_STEPS,
    0.0,
)
STAGES = {
    "copying": Stage(Mixture({"copy": 0.4, "find": 0.6}, {1: 1.0}, 0.0), (1, 1)),
    "skills": Stage(
        Mixture({"copy": 0.05, "find": 0.15, "read": 0.25, "sum": 0.15, "work": 0.1, "solve": 0.3}, {1: 0.6, 2: 0.4}, 0.05), (1, 1)
    ),
    # Until values are found by name, no amount of solving teaches it: it takes a thousand updates of its own.
    "lookup": Stage(
        Mixture({"copy": 0.1, "find": 0.35, "link": 0.25, "read": 0.1, "solve": 0.2}, STEPS, 0.0), (1, 1)
    ),
    "solver": Stage(
        Mixture({**PRACTICE, "read": 0.1, "sum": 0.13, "solve": 0.5, "verify": 0.1, "review": 0.06, "refine": 0.05}, {1: 0.2, 2: 0.3, 3: 0.25, 4: 0.15, 5: 0.07, 6: 0.03}, 0.0), (1, 1)
    ),
    "roles": Stage(Mixture({**PRACTICE, "read": 0.05, "link": 0.05, "solve": 0.34, **ROLES}, STEPS, 0.0), (1, 0.9)),
    "policy": Stage(LATE, (0.9, 0.6)),
    "cooling": Stage(LATE, (0.6, 0.003)),
    # For weights that do one thing badly: half of it is practice.
    "mending": Stage(
        Mixture(
            {
                **{"copy": 0.01, "find": 0.03, "link": 0.05, "read": 0.04},
                **{"sum": 0.05, "work": 0.07, "check": 0.1, "proof": 0.17, "solve": 0.22},
                **{"verify": 0.06, "review": 0.12, "refine": 0.04, "judge": 0.02, "compare": 0.03, "select": 0.01},
            },
            STEPS,
            0.0,
        ),
        (1, 1),
    ),
}
