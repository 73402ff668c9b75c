/**
 * Behaviours that can be seen in a thinking trace, counted by their phrases.
 *
 * Sources: verification, backtracking, sub-goals and backward chaining are those of "Cognitive Behaviors that Enable
 * Self-Improving Reasoners" (Gandhi et al. 2025, arXiv:2503.01307), which has a model count them; continue, reflect and
 * explore are Satori's meta-action tokens (Shen et al. 2025, arXiv:2502.02508). Deviation: phrases of English instead of
 * a classifier, so that counts are cheap and repeatable; they miss what is said otherwise.
 */
import { Type, type Static } from 'typebox'

const PATTERNS = {
  verification:
    /\b(?:double[- ]?check|check(?:ing)? (?:this|that|it|my|the|again)|verify|verifying|let me check|let's check|to confirm|plug(?:ging)? (?:it|this|that) back)\b/gi,
  backtracking:
    /\b(?:wait|hold on|hmm|on second thought|scratch that|let me (?:reconsider|rethink|try again|start over)|(?:that|this) (?:is|was) (?:wrong|not right|incorrect)|that's (?:wrong|not right|incorrect)|i made (?:a mistake|an error)|this (?:doesn't|does not) work)\b/gi,
  sub_goals:
    /\b(?:first,? (?:i|we|let)|next,? (?:i|we|let)|break (?:this|it|the problem) (?:down|into)|sub-?goals?|sub-?problems?|the first step is|now (?:i|we) need to)\b/gi,
  backward_chaining:
    /\b(?:work(?:ing)? backwards?|start(?:ing)? from the (?:goal|target|end|result)|to get (?:to )?(?:this|that|the (?:goal|target|result)),? (?:i|we) need|in reverse)\b/gi,
  continue: /<\|continue\|>/g,
  reflect: /<\|reflect\|>/g,
  explore: /<\|explore\|>/g,
} as const
export type Behaviour = keyof typeof PATTERNS
export const BEHAVIOURS = Object.keys(PATTERNS) as Behaviour[]

/** Longer texts are read up to here, which bounds the work of one run. */
const MOST_CHARACTERS = 200_000
const MOST_MARKS = 64

export const Mark = Type.Object(
  {
    behaviour: Type.Enum(BEHAVIOURS),
    at: Type.Integer({ minimum: 0, description: 'Where it stands: UTF-16 units into the text.' }),
    phrase: Type.String(),
  },
  { $id: 'BehaviourMark' },
)
export type Mark = Static<typeof Mark>

/** Where behaviours show in a text, in its order. */
export const findBehaviours = (text: string, most = MOST_MARKS): readonly Mark[] => {
  const read = text.slice(0, MOST_CHARACTERS)
  // Most texts show few of them, and looking is cheaper than reading what is found.
  const seen = BEHAVIOURS.filter((behaviour) => read.search(PATTERNS[behaviour]) >= 0)
  const found = seen.flatMap((behaviour) =>
    Array.from(read.matchAll(PATTERNS[behaviour]), ({ index, 0: phrase }) => ({
      behaviour,
      at: index,
      phrase,
    })),
  )
  return found.toSorted((left, right) => left.at - right.at).slice(0, most)
}

/** How often each behaviour shows in the texts together; those that never do are left out. */
export const countBehaviours = (texts: readonly string[]): Partial<Record<Behaviour, number>> => {
  const counts: Partial<Record<Behaviour, number>> = {}
  for (const { behaviour } of texts.flatMap((text) => findBehaviours(text, Infinity))) {
    counts[behaviour] = (counts[behaviour] ?? 0) + 1
  }
  return counts
}
