"""python -m unittest discover tests (from models/training; about two minutes)"""

import json
import random
import re
import sys
import unittest
from dataclasses import replace
from os.path import commonprefix
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pebble import forms, lexicon, practice, roles, sampling, tokens, wordings  # noqa: E402
from pebble.arithmetic import OPERATIONS, Reckoned, corrected, worked  # noqa: E402
from pebble.attention import attend_causal  # noqa: E402
from pebble.batches import Batches, Mixture, Phase, collate, draw  # noqa: E402
from pebble.generator import is_held_out, random_problem  # noqa: E402
from pebble.induction import write_induction  # noqa: E402
from pebble.losses import loss_of, shaped_loss  # noqa: E402
from pebble.model import Config, Llama  # noqa: E402
from pebble.muon import orthogonalise  # noqa: E402
from pebble.problems import Problem  # noqa: E402
from pebble.solutions import Candidate, canonical, correction, first_wrong, line_is_right, misreckons, plant  # noqa: E402
from pebble.statistics import area_under_curve, wilson  # noqa: E402

TOKENIZER = tokens.build(700)


def small_model(induction: bool = False) -> Llama:
    torch.manual_seed(1)
    model = Llama(Config(TOKENIZER.get_vocab_size(), 128, 5, 4, 4, 256))
    if induction:
        write_induction(model, 1)
    else:
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, 0, 0.1)
    return model.eval()


def numbered_line(candidate: Candidate, at: int) -> str:
    line = candidate.lines[at]
    return line if line.startswith("####") else f"{at + 1} {line}"


class Problems(unittest.TestCase):
    def test_a_problem_has_the_difficulty_asked_for_and_lies_on_the_training_side(self):
        rng = random.Random(1)
        for steps in range(1, 11):
            problem = random_problem(rng, steps)
            self.assertEqual(problem.difficulty, steps)
            self.assertFalse(is_held_out(problem.text))

    def test_a_canonical_solution_is_right_in_every_line_and_ends_with_the_answer(self):
        rng = random.Random(2)
        for n in range(300):
            problem = random_problem(rng, 1 + n % 6)
            self.assertIsNone(first_wrong(problem, canonical(problem)))
            self.assertEqual(canonical(problem).answer, str(problem.answer))

    def test_a_planted_mistake_is_found_and_the_correction_of_its_line_is_right(self):
        rng = random.Random(3)
        for n in range(300):
            problem = random_problem(rng, 1 + n % 6)
            candidate = plant(rng, problem)
            index = first_wrong(problem, candidate)
            self.assertIsNotNone(index)
            line = correction(problem, candidate, index)
            self.assertTrue(line_is_right(problem, line) or line == f"#### {problem.answer}", line)

    def test_a_line_is_checked_against_the_problem_not_against_its_own_arithmetic(self):
        problem = Problem.from_json(
            {
                "text": "",
                "relations": {"Ann": [12, "", 0], "Ben": ["Ann", "*", 3], "total": ["Ben", "+", "Ann"]},
                "question": "total",
            }
        )
        for line in ("Ann: 12", "Ben: Ann * 3", "Ben: 3 * Ann", "Ben: Ann 12 * 3 = 36", "total: Ann 12 + Ben 36 = 48"):
            self.assertTrue(line_is_right(problem, line), line)
        wrong = ("Ann: 13", "Ben: Ann * 2", "Ben: Ann 12 * 2 = 24", "Ben: Ann 12 * 3 = 35", "Ben: 12 * 3 = 36")
        for line in (*wrong, "total: Ben 12 + Ann 36 = 48", "Ann: 12 = 12", "Ben: Ann 12 * 3", "Zoe: 3", "words", ""):
            self.assertFalse(line_is_right(problem, line), line)

    def test_a_sentence_leaves_a_quantity_out_only_right_after_it_was_told(self):
        rng = random.Random(6)
        left_out = 0
        for n in range(400):
            problem = random_problem(rng, 2 + n % 6)
            sentences = problem.text.split(". ")
            for before, sentence in zip(sentences, sentences[1:]):
                label = next((l for l in problem.relations if sentence.startswith(f"{l} ")), None)
                relation = problem.relations.get(label)
                relates = any(words in sentence for words in (" more", " fewer", " less", " as many", " of that"))
                if not relates or not relation or not relation.sources or isinstance(relation.right, str):
                    continue
                if not any(other in sentence for other in problem.relations if other != label):
                    left_out += 1
                    self.assertIn(relation.left, before, problem.text)
        self.assertGreater(left_out, 20)

    def test_solutions_are_read_back_from_bullets_and_from_numbers(self):
        rng = random.Random(4)
        candidate = plant(rng, random_problem(rng, 3))
        self.assertEqual(Candidate.read(candidate.bullets), candidate)
        self.assertEqual(Candidate.read(candidate.numbered), candidate)
        self.assertEqual(Candidate.read("- Ann: 3"), Candidate(["Ann: 3"], ""))


class Arithmetic(unittest.TestCase):
    def test_a_line_is_worked_out_digit_by_digit(self):
        for line, steps in (
            ("Ben: Ann 347 * 6 = 2082", "7 42 42 4 24 28 3 18 20"),
            ("total: Ann 847 + Ben 286 = 1133", "7 6 13 4 8 13 8 2 11"),
            ("Ben: Ann 546 - 491 = 55", "6 1 15 4 9 05 5 4 10"),
            ("Ben: Ann 2082 / 6 = 347", "02 0 2 20 3 2 28 4 4 42 7 0"),
        ):
            before, _, result = line.rpartition("= ")
            self.assertEqual(worked(line), f"{before}= {steps} = {result}")

    def test_the_digits_of_the_result_stand_in_what_is_worked_out(self):
        rng = random.Random(14)
        lines = [line for _ in range(100) for line in practice.work(rng).assistant.split("\n")]
        found = [re.fullmatch(r".* ([-+*/]) \d+ = ([\d ]+) = (\d+)", line) for line in lines]
        self.assertGreater(sum(map(bool, found)), 400)
        for operation, steps, result in (one.groups() for one in found if one):
            if operation == "/":
                digits = "".join(steps.split(" ")[1::3])
            else:
                made = steps.split(" ")[2::3]
                digits = ("" if operation == "-" else made[-1][0]) + "".join(two[1] for two in reversed(made))
            self.assertEqual(int(digits), int(result))

    def test_what_is_no_long_computation_stays_as_it_is(self):
        short = ("Ben: 3 * 4 = 12", "Ben: Ann 111 * 9 = 999", "Ben: Ann 99 + 99 = 198", "Ben: Ann 98 - 89 = 9", "Ben: Ann 984 / 2 = 492")
        for line in (*short, "Ben: Ann * 3", "Ann: 1200", "#### 3600", "Ben: Ann 300 - 400 = 1", "Ben: Ann 112 * 12 = 1344", ""):
            self.assertEqual(worked(line), line)


    def test_computations_that_were_written_are_read_and_the_wrong_ones_told(self):
        texts = ["- M: 76 * 8 = 608\n- M: 622 - 471 = 154\n- A: 7 / 2 = 3\n- A: 9 / 0 = 1\n- A: 8 /", "words"]
        found = Reckoned.read(texts)
        self.assertEqual(found, Reckoned(["76 * 8 = 608", "622 - 471 = 154"], ["622 - 471 = 154"]))
        self.assertEqual(corrected("1. A: A 347 * 6 = 20"), "1. A: A 347 * 6 = 2082")
        shown = {line for n in range(30) for line in practice.check(random.Random(n), found).assistant.split("\n")}
        self.assertTrue({line.partition(": ")[2] for line in shown}.issuperset(found.all))


class Orders(unittest.TestCase):
    PROBLEM = {
        "text": "?",
        "relations": {"Ann": [12, "", 0], "Ben": ["Ann", "+", 3], "Cara": [4, "*", 5], "total": ["Ben", "+", "Cara"]},
        "question": "total",
    }

    def test_what_follows_the_right_lines_of_a_solution_keeps_its_order(self):
        problem = Problem.from_json(self.PROBLEM)
        steps = ["total: Cara + Ben", "Cara: 4 * 5 = 20", "Ben: 3 + Ann", "Ann: 12", "Ben: 3 + Ann 12 = 16"]
        shown = Candidate([*steps, "total: Cara 20 + Ben 16 = 36"], "36")
        self.assertEqual(correction(problem, shown, first_wrong(problem, shown)), "Ben: 3 + Ann 12 = 15")
        example = roles.refine(problem, shown)
        kept = ["total: Cara + Ben", "Cara: 4 * 5 = 20", "Ben: 3 + Ann", "Ann: 12", "Ben: 3 + Ann 12 = 15"]
        self.assertEqual(example.user, f"?\n\n{Candidate(kept, '').numbered}")
        self.assertEqual(example.assistant, Candidate([*kept, "total: Cara 20 + Ben 15 = 35"], "35").bullets)


class Mistakes(unittest.TestCase):
    def test_a_line_misreckons_where_nothing_but_its_result_is_wrong(self):
        relations = {"Ann": [12, "", 0], "Ben": ["Ann", "*", 3]}
        problem = Problem.from_json({"text": "?", "relations": relations, "question": "Ben"})
        for line, expected in (("Ben: Ann 12 * 3 = 46", True), ("Ben: Ann 13 * 3 = 39", False), ("Ben: Ann * 4", False), ("Bob: Ann 12 * 3 = 36", False)):
            self.assertEqual(misreckons(problem, Candidate([line], ""), 0), expected, line)
        self.assertFalse(misreckons(problem, Candidate([], "36"), 0))


class Refinements(unittest.TestCase):
    SHOWN = Candidate(["Ben: Ann * 3", "Ann: 12", "Ben: Ann 12 * 3 = 46"], "46")

    def test_what_a_review_calls_wrong_is_replaced_and_what_follows_falls(self):
        said = "Step 2 is wrong, it should be Ann: 15."
        self.assertEqual(forms.mended(self.SHOWN, said), Candidate(["Ben: Ann * 3", "Ann: 15"], ""))
        self.assertEqual(forms.refine_beginning(self.SHOWN, said), "- Ben: Ann * 3\n- Ann: 15\n")
        self.assertEqual(forms.mended(self.SHOWN, "Step 4 is wrong, it should be #### 36."), replace(self.SHOWN, answer="36"))

    def test_a_review_that_names_no_step_of_the_solution_leaves_it_whole(self):
        for said in (forms.ALL_RIGHT, "Step 5 is wrong, it should be x.", "Step 0 is wrong, it should be x.", "Step 2 is wrong.", ""):
            self.assertEqual(forms.mended(self.SHOWN, said), self.SHOWN, said)


class Practice(unittest.TestCase):
    def test_a_proof_works_each_line_out_and_stresses_its_verdict_and_where_it_differs_from_the_shown_one(self):
        rng = random.Random(3)
        for example in (practice.proof(rng) for _ in range(20)):
            stressed = set(example.stressed)
            for shown, line in zip(example.user.split("\n"), example.assistant.split("\n")):
                right, _, verdict = line.rpartition(" ")
                said = f"{right.split(' = ')[0]} = {right.rpartition(' ')[2]}".replace(" ", ". ", 1)
                self.assertEqual(verdict, "ok" if shown == said else "wrong")
                start = example.assistant.index(line)
                stressed.discard(start + len(right) + 1)
                if verdict == "wrong":
                    copied = f"{right.rpartition(' ')[0]} {shown.rpartition(' ')[2]}"
                    stressed.discard(start + len(commonprefix([right, f"{copied}\n"])))
            self.assertEqual(stressed, set())

    def test_marks_say_of_each_line_alone_whether_its_result_is_right(self):
        rng, verdicts = random.Random(4), []
        for example in (practice.check(rng) for _ in range(10)):
            encoded = tokens.encode(TOKENIZER, example)
            marks = [target for id, target in zip(encoded.ids, encoded.targets) if id == tokens.STEP]
            for line, mark in zip(example.assistant.split("\n"), marks, strict=True):
                left, operation, right, result = re.fullmatch(r"- [A-Z]: (\d+) (.) (\d+) = (\d+)", line).groups()
                right_result = OPERATIONS[operation](int(left), int(right)) == int(result)
                self.assertEqual(mark, tokens.GOOD if right_result else tokens.BAD, line)
                verdicts.append(right_result)
        self.assertIn(sum(verdicts), range(30, 71))


class TestSets(unittest.TestCase):
    def test_every_text_is_held_out_and_every_row_agrees_with_its_relations(self):
        counts = {"usual": 500, "changed": 500, "names": 300, "longer": 300, "everyday": 300, "wordings": 300}
        for name, count in counts.items():
            rows = [json.loads(line) for line in (ROOT / "testsets" / f"{name}.jsonl").read_text().splitlines()]
            self.assertEqual(len(rows), count)
            for row in rows:
                problem = Problem.from_json(row)
                self.assertTrue(is_held_out(row["text"]))
                self.assertEqual((problem.answer, problem.difficulty), (row["answer"], row["difficulty"]))

    def test_held_out_names_are_never_drawn_for_training(self):
        rng = random.Random(5)
        drawn = {name for _ in range(5000) for name in lexicon.names_for_training(rng, 3)}
        self.assertFalse(drawn & set(lexicon.HELD_OUT_NAMES))


    def test_no_sentence_of_the_unseen_wordings_is_a_sentence_of_training(self):
        for kind, sentences in wordings.HELD_OUT.items():
            if kind != "distractor":
                known = {form.format_map(Verb(verb)) for form in wordings.TRAINING[kind] for verb in wordings.VERBS}
                self.assertFalse(known & set(sentences), kind)

    def test_names_that_begin_alike_occur_in_training_and_do_not_prevail(self):
        rng = random.Random(9)
        drawn = [lexicon.names_for_training(rng, 6) for _ in range(500)]
        self.assertIn(sum(len({name[0] for name in names}) < 6 for names in drawn), range(20, 120))


class Verb(dict):
    """Fills in the verb and leaves every other placeholder as it is."""

    def __init__(self, verb: str):
        super().__init__(h=verb)

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


class Roles(unittest.TestCase):
    def test_a_review_derives_each_line_up_to_the_first_wrong_one_and_stresses_where_it_must_not_copy(self):
        rng = random.Random(10)
        for _ in range(100):
            problem = random_problem(rng, 3)
            candidate = plant(rng, problem)
            index, example = first_wrong(problem, candidate), roles.review(problem, candidate)
            *listed, verdict = example.assistant.split("\n")
            self.assertEqual(len(listed), index + 1)
            for line, shown in zip(listed[:-1], candidate.lines):
                self.assertEqual(line.removesuffix(" ok").split(" ", 1)[-1], worked(shown.removeprefix("#### ")))
            self.assertTrue(listed[-1].endswith(" wrong"))
            self.assertTrue(verdict.endswith(f"it should be {correction(problem, candidate, index)}."))
            shown = worked(candidate.numbered.split("\n")[index].replace(". ", " ", 1))
            start = example.assistant.index(listed[-1])
            differs, corrected_at = (character - start for character in example.stressed)
            self.assertEqual(listed[-1][:differs], shown[:differs])
            self.assertNotEqual(listed[-1][: differs + 1], shown[: differs + 1])
            said = example.assistant[: start + corrected_at].rpartition(" should be ")[2]
            self.assertTrue(candidate.lines[index].startswith(said))
            self.assertFalse(candidate.lines[index].startswith(example.assistant[start + corrected_at - len(said) :][: len(said) + 1]))
            encoded = tokens.encode(TOKENIZER, example)
            self.assertEqual(encoded.weights[encoded.prompt :].count(tokens.STRESSED_WEIGHT), 2)

    def test_a_verdict_is_read_from_the_lines_that_are_derived_otherwise_whatever_they_are_called(self):
        rng = random.Random(8)
        for problem in (random_problem(rng, 1 + n % 6) for n in range(40)):
            for candidate in (plant(rng, problem), canonical(problem)):
                review, verdict = roles.review_text(problem, candidate), roles.verdict(problem, candidate)
                self.assertEqual(forms.read_verdict(review, candidate), verdict)
                if verdict != forms.ALL_RIGHT:
                    for end in ("Step 1 is wrong, it should be x.", "", forms.ALL_RIGHT):
                        self.assertEqual(forms.read_verdict(review.removesuffix(verdict) + end, candidate), verdict)
                    cleared = review.replace(" wrong\n", " ok\n")
                    self.assertEqual(forms.read_verdict(cleared, candidate), verdict)
        same = Candidate.read("- Ann: 3\n#### 3")
        self.assertEqual(forms.read_verdict("1 Ann: 3 wrong", same), "Step 1 is wrong, it should be Ann: 3.")
        self.assertEqual(forms.read_verdict("words", same), "words")

    def test_a_second_look_compares_the_line_that_a_review_derives_otherwise_and_a_review_goes_on_where_it_stands(self):
        rng = random.Random(19)
        for problem in (random_problem(rng, 2 + n % 4) for n in range(40)):
            right, wrong = canonical(problem), plant(rng, problem)
            at = first_wrong(problem, wrong)
            if at >= len(wrong.lines):
                continue
            # The list of a reviewer that has slipped: of the wrong solution, where the right one is shown.
            slipped = "\n".join(roles.review_list(problem, right)[: forms.parting(right, wrong)] + [numbered_line(wrong, at) + " ok"])
            asked = forms.second_look(problem.text, right, slipped)
            self.assertEqual(asked, forms.compare_prompt(problem.text, right, wrong))
            line = worked(right.lines[at])
            self.assertTrue(forms.still_stands(f"{line}\nB", right, slipped))
            self.assertFalse(forms.still_stands(f"{worked(wrong.lines[at])}\nA", right, slipped))
            kept = forms.kept_list(right, slipped)
            self.assertTrue(kept.endswith(f"{numbered_line(right, at)} ok\n"))
            self.assertEqual(len(forms.review_lines(kept)), at + 1)
            self.assertIsNone(forms.second_look(problem.text, right, kept + forms.ALL_RIGHT))
        self.assertIsNone(forms.second_look("", Candidate.read("- Ann: 3\n#### 3"), "1 Ann: 3 wrong"))

    def test_an_aggregation_shows_what_is_the_same_once_and_begins_with_the_steps_that_all_have(self):
        rng = random.Random(21)
        for problem in (random_problem(rng, 2 + n % 4) for n in range(40)):
            right, wrong = canonical(problem), plant(rng, problem)
            example = roles.aggregate(problem, [wrong, right, wrong])
            self.assertEqual(example, roles.aggregate(problem, [wrong, right]))
            begun = forms.aggregate_beginning([wrong, right])
            self.assertTrue(right.bullets.startswith(begun) and wrong.bullets.startswith(begun))
            self.assertEqual(begun.count("\n"), min(forms.parting(right, wrong), len(right.steps), len(wrong.steps)))
            tokens.encode(TOKENIZER, example)

    def test_what_the_list_of_a_judge_finds_counts_before_its_digit(self):
        rng = random.Random(20)
        for problem in (random_problem(rng, 1 + n % 6) for n in range(40)):
            for candidate in (plant(rng, problem), canonical(problem)):
                example = roles.judge(problem, candidate)
                self.assertEqual(forms.read_digit(example.assistant, candidate), int(example.assistant[-1]))
                for digit in "09":
                    said = forms.read_digit(f"{forms.judged_list(example.assistant)}\n{digit}", candidate)
                    self.assertEqual(said, int(digit) if first_wrong(problem, candidate) is None else int(example.assistant[-1]))
        self.assertIsNone(forms.read_digit("words", canonical(problem)))

    def test_a_refinement_repeats_what_is_shown_and_works_out_the_rest(self):
        rng = random.Random(15)
        for _ in range(100):
            problem = random_problem(rng, 3)
            candidate = plant(rng, problem)
            index, example = first_wrong(problem, candidate), roles.refine(problem, candidate)
            shown, made = Candidate.read(example.user.rpartition("\n\n")[2]), Candidate.read(example.assistant)
            self.assertEqual(shown.lines, [*candidate.lines[:index], correction(problem, candidate, index).removesuffix(".")])
            self.assertTrue(example.assistant.startswith(shown.bullets))
            self.assertIsNone(first_wrong(problem, made))
            beginning = roles.cut_short(rng, canonical(problem))
            again = roles.refine(problem, beginning, forms.ALL_RIGHT)
            self.assertTrue(again.user.endswith(beginning.numbered))
            self.assertEqual(Candidate.read(again.assistant), canonical(problem))

    def test_a_right_solution_is_listed_whole_and_cleared(self):
        problem = random_problem(random.Random(11), 3)
        *listed, verdict = roles.review_text(problem, canonical(problem)).split("\n")
        self.assertEqual(verdict, forms.ALL_RIGHT)
        self.assertEqual(len(listed), len(problem.lines))
        self.assertTrue(all(line.endswith(" ok") for line in listed))

    def test_a_comparison_shows_what_two_share_and_works_out_the_line_at_which_they_part(self):
        rng = random.Random(16)
        for _ in range(100):
            problem = random_problem(rng, 3)
            right, wrong = canonical(problem), plant(rng, problem)
            parted, example = forms.parting(right, wrong), roles.compare(rng, problem, right, wrong)
            *shared, sides = example.user.removeprefix(f"{problem.text}\n\n").split("\n\n")
            self.assertEqual("".join(shared), Candidate(right.steps[:parted], "").numbered)
            line, letter = example.assistant.split("\n")
            self.assertEqual(line, worked(right.lines[parted]))
            self.assertEqual(sides.split("\n")["AB".index(letter)], f"{letter}. {right.lines[parted]}")
            differs, said = example.stressed
            self.assertEqual(example.assistant[said:], letter)
            other = worked("".join(wrong.lines[parted : parted + 1]))
            self.assertTrue(other.startswith(line[:differs]))
            self.assertNotEqual(other[: differs + 1], line[: differs + 1])
            encoded = tokens.encode(TOKENIZER, example)
            prompt = [t for t, w in zip(encoded.targets[: encoded.prompt], encoded.weights) if w]
            self.assertEqual((prompt.count(tokens.GOOD), tokens.BAD in prompt), (parted + 1, True))
        same = canonical(problem)
        self.assertTrue(forms.compare_prompt("", same, same)[1].endswith(f"A. {same.lines[-1]}\nB. {same.lines[-1]}"))
        self.assertEqual(forms.compare_prompt("x", Candidate.read(""), Candidate.read(""))[1], "x\n\nA.\nB.")

    def test_of_two_solutions_the_one_that_has_the_line_derived_is_named_whatever_letter_is_written(self):
        rng = random.Random(18)
        for _ in range(60):
            problem = random_problem(rng, 3)
            right, wrong = canonical(problem), plant(rng, problem)
            line = worked(right.lines[forms.parting(right, wrong)])
            for letter in "AB?":
                self.assertEqual(forms.read_comparison(f"{line}\n{letter}", right, wrong), "A")
                self.assertEqual(forms.read_comparison(f"{line}\n{letter}", wrong, right), "B")
            said = [forms.read_comparison(f"x\n{letter}", right, wrong) for letter in "AB?"]
            self.assertEqual(said, ["A", "B", ""])
            self.assertEqual(forms.read_comparison(f"{right.lines[-1]}\nB", right, right), "B")

    def test_a_judge_lists_the_lines_before_its_digit_and_learns_what_its_own_lists_are_worth(self):
        rng = random.Random(17)
        problem = random_problem(rng, 3)
        for candidate, digits in ((canonical(problem), "9"), (plant(rng, problem), "01234")):
            example = roles.judge(problem, candidate)
            self.assertEqual(forms.judged_list(example.assistant), "\n".join(roles.review_list(problem, candidate)))
            self.assertIn(example.assistant[-1], digits)
            self.assertEqual(example.stressed[-1], len(example.assistant) - 1)
            own = roles.judge(problem, candidate, "1 Ann: 3 ok")
            encoded = tokens.encode(TOKENIZER, own)
            asked = [(t, w) for t, w in zip(encoded.targets[encoded.prompt :], encoded.weights[encoded.prompt :])]
            self.assertEqual(asked, [(TOKENIZER.token_to_id(own.assistant), tokens.STRESSED_WEIGHT), (tokens.END, 1.0)])
            self.assertEqual((own.given, own.assistant), ("1 Ann: 3 ok\n", example.assistant[-1]))

    def test_a_careful_solution_works_long_results_out_and_is_read_as_the_quick_one(self):
        problem = next(p for p in (random_problem(random.Random(n), 4) for n in range(50)) if max(p.values.values()) > 1000)
        quick, careful = roles.solve(problem).assistant, roles.solve(problem, carefully=True).assistant
        self.assertNotEqual(quick, careful)
        self.assertEqual(careful.split("\n"), [worked(line) for line in quick.split("\n")])
        self.assertEqual(Candidate.read(careful), canonical(problem))

    def test_fewer_than_half_of_the_solutions_that_are_trained_on_are_careful(self):
        rng, mixture = random.Random(20), Mixture({"solve": 1.0}, {6: 1.0}, 0.0)
        texts = [draw(rng, mixture, None).assistant for _ in range(300)]
        share = sum(text != Candidate.read(text).bullets for text in texts) / len(texts)
        self.assertTrue(0.2 < share < 0.4, share)

    def test_a_second_look_follows_drafts_that_were_cut_off_anywhere_and_takes_its_time(self):
        rng, problem = random.Random(12), random_problem(random.Random(12), 3)
        looks = [roles.recheck(rng, problem, canonical(problem)) for _ in range(200)]
        self.assertEqual({look.assistant for look in looks}, {roles.solve(problem, carefully=True).assistant})
        given = [look.given for look in looks]
        self.assertTrue(all(text.endswith(forms.REFLECTION) for text in given))
        self.assertGreater(sum("####" not in text for text in given), 50)
        self.assertGreater(sum(text.count(forms.REFLECTION) == 2 for text in given), 20)


class Tokens(unittest.TestCase):
    def test_a_name_is_the_same_pieces_wherever_it_stands(self):
        pieces = TOKENIZER.encode(" Xenia", add_special_tokens=False).tokens
        for text in ("of Xenia has", "- Xenia:", "1. Xenia - 3", "and Xenia together?"):
            found = TOKENIZER.encode(text, add_special_tokens=False).tokens
            self.assertTrue(any(found[n : n + len(pieces)] == pieces for n in range(len(found))), text)

    def test_the_target_at_a_step_mark_is_the_verdict_up_to_there(self):
        rng = random.Random(6)
        for _ in range(40):
            problem = random_problem(rng, 3)
            candidate = plant(rng, problem)
            encoded = tokens.encode(TOKENIZER, roles.verify(problem, candidate))
            verdicts = [target for token, target in zip(encoded.ids, encoded.targets) if token == tokens.STEP]
            index = first_wrong(problem, candidate)
            self.assertEqual(verdicts, [tokens.GOOD if n < index else tokens.BAD for n in range(len(candidate.lines))])

    def test_in_a_solution_that_is_shown_the_targets_are_right_tokens_up_to_the_mistake_and_then_the_verdict(self):
        rng = random.Random(8)
        for _ in range(40):
            problem = random_problem(rng, 3)
            right, wrong = canonical(problem), plant(rng, problem)
            index = first_wrong(problem, wrong)
            encoded = tokens.encode(TOKENIZER, roles.select(problem, [wrong, right]))
            asked = [n for n in range(encoded.prompt) if encoded.weights[n]]
            targets = [encoded.targets[n] for n in asked]
            bad = targets.index(tokens.BAD)
            before = TOKENIZER.decode(encoded.ids[asked[0] : asked[bad - 1] + 1], skip_special_tokens=False)
            shown = wrong.bullets.split("\n")
            self.assertTrue(wrong.bullets.startswith(before))
            self.assertEqual(before.count("\n"), index)
            self.assertEqual(targets[: bad - 1].count(tokens.GOOD), index)
            ends = [t for n, t in zip(asked, targets) if encoded.ids[n] in (asked_break(), tokens.END)]
            wanted = [*(n < index for n in range(len(shown))), *(True for _ in right.lines)]
            self.assertEqual([t == tokens.GOOD for t in ends], wanted)

    def test_mistakes_are_never_what_is_to_be_said_next(self):
        mixture = Mixture({"refine": 0.5, "verify": 0.5}, {2: 1.0}, 1.0)
        batch = next(iter(Batches(TOKENIZER, [Phase(mixture)], 2048, "1", 0)))
        for ids, targets, weights in zip(batch.ids.tolist(), batch.targets.tolist(), batch.weights.tolist()):
            asked = [n for n in range(len(ids) - 1) if weights[n]]
            mistaken = [n for n in asked if targets[n] == tokens.BAD]
            for n in mistaken:
                self.assertNotEqual(targets[n - 1], ids[n])


def asked_break() -> int:
    return TOKENIZER.token_to_id("Ċ")


class Pieces(unittest.TestCase):
    def test_pieces_looked_up_one_by_one_are_what_the_tokenizer_makes_of_the_whole(self):
        rng = random.Random(8)
        texts = [roles.planted(rng, "refine", random_problem(rng, 1 + n % 9)).user for n in range(60)]
        for text in (*texts, "  two  spaces \n\n\tÄpfel — 12.5%", ""):
            self.assertEqual(tokens.text_ids(TOKENIZER, text), TOKENIZER.encode(text, add_special_tokens=False).ids)


class Phases(unittest.TestCase):
    def test_a_pool_is_of_the_phase_that_holds_when_it_is_begun(self):
        phases = [Phase(Mixture({role: 1.0}, {1: 1.0}, 0.0)) for role in ("copy", "find")]
        data = Batches(TOKENIZER, phases, 100_000_000, "1", 0)
        batches = iter(data)
        first = TOKENIZER.decode(next(batches).ids[0].tolist())
        data.current.value = 1
        second = TOKENIZER.decode(next(batches).ids[0].tolist())
        self.assertIn("copy", first)
        self.assertIn("find", second)


class Model(unittest.TestCase):
    def test_generation_from_a_padded_cache_is_the_most_probable_continuation(self):
        model = small_model()
        prompts = [("solve", "Ann has 3 pens."), ("solve", "Ann has 3 pens. Ben owns 4 fewer than Ann. Who?")]
        texts = sampling.generate(model, TOKENIZER, prompts, limit=12)
        for prompt, text in zip(prompts, texts):
            ids = tokens.prompt_ids(TOKENIZER, *prompt)
            written = []
            while len(written) < 12:
                logits = model.logits(model(torch.tensor([ids + written])))[0, -1]
                logits[tokens.MARKS] = -torch.inf
                chosen = logits.argmax().item()
                if chosen == tokens.END:
                    break
                written.append(chosen)
            self.assertEqual(TOKENIZER.decode(written, skip_special_tokens=False), text)

    def test_a_score_is_read_at_every_step_mark(self):
        scores = sampling.step_scores(small_model(), TOKENIZER, [("Ann has 3.", "- Ann: 3\n#### 3"), ("x", "#### 1")])
        self.assertEqual([len(row) for row in scores], [2, 1])
        self.assertTrue(all(0 < score < 1 for row in scores for score in row))

    def test_the_written_induction_heads_copy_before_any_training(self):
        rng = random.Random(7)
        batch = collate([tokens.encode(TOKENIZER, practice.copy(rng)) for _ in range(8)], 0)
        chosen = batch.weights > 0
        shares = []
        for induction in (True, False):
            model = small_model(induction)
            best = model.logits(model(torch.from_numpy(batch.ids))).argmax(-1).numpy()
            shares.append((best == batch.targets)[chosen].mean())
        self.assertGreater(shares[0], 0.3)
        self.assertLess(shares[1], 0.1)

    def test_batches_of_few_shapes_hold_the_same_examples_and_have_the_same_loss(self):
        phases = [Phase(Mixture({"solve": 0.5, "review": 0.5}, {2: 0.5, 6: 0.5}, 0.0))]
        plain, shaped = ([], [])
        for batches, is_shaped in ((plain, False), (shaped, True)):
            for batch in Batches(TOKENIZER, phases, 4096, "seed", 0, shaped=is_shaped):
                if batch.pool > 0:
                    break
                batches.append(batch)
        held = [sorted(tuple(row[row != tokens.PAD]) for batch in batches for row in batch.ids if row.any()) for batches in (plain, shaped)]
        self.assertEqual(*held)
        self.assertLess(len({batch.ids.shape for batch in shaped}), len({batch.ids.shape for batch in plain}))
        model, batch = small_model(), shaped[0]
        one = loss_of(model, model, batch, "cpu", half=False)
        other = shaped_loss(model, model, *map(torch.from_numpy, (batch.ids, batch.targets, batch.weights)), half=False)
        self.assertTrue(torch.allclose(one, other, atol=1e-5))

    def test_layers_put_on_top_change_nothing_before_they_are_trained(self):
        model, ids = small_model(), torch.arange(6, 26)[None]
        grown = model.grown(7)
        self.assertEqual(len(grown.layers), 7)
        self.assertTrue(torch.equal(model(ids), grown(ids)))

    def test_attention_in_blocks_is_plain_causal_attention_with_its_gradients(self):
        torch.manual_seed(2)
        for length in (5, 128, 300):
            q, k, v = (torch.randn(3, length, 16, requires_grad=True) for _ in range(3))
            given = torch.randn(3, length, 16)
            plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)
            blocks = attend_causal(q, k, v)[0]
            self.assertTrue(torch.allclose(plain, blocks, atol=1e-5))
            for one, other in zip(torch.autograd.grad(plain, (q, k, v), given), torch.autograd.grad(blocks, (q, k, v), given)):
                self.assertTrue(torch.allclose(one, other, atol=1e-4))

    def test_newton_schulz_brings_singular_values_near_one(self):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(3, 32, 80)))
        self.assertTrue(bool(((values > 0.6) & (values < 1.3)).all()))


class Statistics(unittest.TestCase):
    def test_intervals_and_areas_have_their_known_values(self):
        self.assertEqual(wilson(50, 100), "50.0 % [40.4, 59.6] (n 100)")
        self.assertEqual(area_under_curve([2, 3], [0, 1]), 1.0)
        self.assertEqual(area_under_curve([1, 1], [1, 1]), 0.5)


if __name__ == "__main__":
    unittest.main()
