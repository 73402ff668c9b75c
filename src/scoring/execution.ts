/**
 * Program execution: what a draft computes is computed again (the checker of CoSC and Program-of-Thought, with an
 * interpreter in place of a person). A draft with a fenced JavaScript program is run, and what it prints must be the
 * answer that the draft states; in any other draft every equation of numbers is checked. Deviation: models write Python
 * in the papers, which nothing safe runs here.
 */
import { answerOf } from '../core/answer.ts'
import { partsOf, programOf } from '../core/fenced-code.ts'
import type { RolePrompts } from '../core/prompts.ts'
import type { Sandbox } from '../core/sandbox.ts'
import type { Score, Scorer } from '../core/scorer.ts'

interface Equation {
  /** Digits, points, signs, brackets: nothing that could be more than a number. */
  readonly expression: string
  readonly stated: string
  /** Whether what is stated is followed by a percent sign. */
  readonly isPercent: boolean
}

const EQUATION =
  /((?:[-(][ \t]*)*\d[\d. \t+\-*/()]*[\d)])[ \t]*=[ \t]*(-?\d+(?:\.\d+)?)(?![\d.]*[ \t]*[-+*/][ \t]*\d)/g
const OPERATOR = /[\d)]\s*[-+*/]\s*[-(\d]/
const COMMENT = /\/[/*]/
/** "- ", "2. ", "(3) ", "Step 4. " at the beginning of a line: a sign or a number for whoever reads it as an expression. */
const LIST_MARKS = /^\s*(?:[-+*•]\s+|(?:step\s+)?\(?\d{1,3}[.)]\s+){1,3}/i
const MOST_EQUATIONS = 256
/** Longer lines are left out: looking for an equation takes the square of their length. */
const LONGEST_LINE = 1000

/** Whether an expression goes on to its left, where something stands that is no number: `x + 3 + 4 = 9`. */
const isPart = (plain: string, index: number, expression: string): boolean => {
  const before = plain.slice(Math.max(0, index - LONGEST_LINE), index)
  const left = before.slice(before.lastIndexOf('\n') + 1).trimEnd()
  const isBinary = /^-\s/.test(expression) || /\S/.test(plain[index - 1] ?? ' ')
  return /[-+*/^]$/.test(left) || (expression.startsWith('-') && isBinary && /[\w)%]$/.test(left))
}

/** `3 × 4 = 12` with its signs as a program writes them; grouping commas and currency aside. */
export const equationsIn = (text: string): readonly Equation[] => {
  const plain = text
    .split('\n')
    .filter((line) => line.length <= LONGEST_LINE)
    .map((line) => line.replace(LIST_MARKS, ''))
    .join('\n')
    .replaceAll(/(?<=\d),(?=\d{3}\b)/g, '')
    .replaceAll(/[×·]|(?<=\d\s?)x(?=\s?\d)/g, '*')
    .replaceAll('÷', '/')
    .replaceAll('−', '-')
    .replaceAll(/[$€£]/g, '')
  return [...plain.matchAll(EQUATION)]
    .filter(([, expression]) => OPERATOR.test(expression!) && !COMMENT.test(expression!))
    .filter(({ index, 1: expression }) => !isPart(plain, index, expression!))
    .slice(0, MOST_EQUATIONS)
    .map(({ index, 0: whole, 1: expression, 2: stated }) => ({
      expression: expression!.trim(),
      stated: stated!,
      isPercent: /^[ \t]*%/.test(plain.slice(index + whole.length, index + whole.length + 8)),
    }))
}

/** 1 right, 0 wrong, ½ for what is no expression after all; as precise as the stated number is written. */
const CHECK = `const check = (expression, stated, isPercent) => {
  let value
  try { value = (0, eval)('"use strict";' + expression) } catch { return 0.5 }
  const digits = (stated.split('.')[1] ?? '').length
  const margin = 0.5000001 * 10 ** -digits * (digits > 0 ? 1 : 1e-6)
  const is = (number) => Math.abs(number - Number(stated)) <= margin
  return is(value) || (isPercent && is(100 * value)) ? 1 : 0
}
`
const checking = (steps: readonly (readonly Equation[])[]): string => {
  const given = steps.map((equations) =>
    equations.map(({ expression, stated, isPercent }) => [expression, stated, isPercent]),
  )
  return `${CHECK}JSON.stringify(${JSON.stringify(given)}.map((step) => step.map(([expression, stated, isPercent]) => check(expression, stated, isPercent))))`
}

const nothing = (message: string): Score => ({
  score: null,
  warning: { code: 'nothing_to_run', message },
})

const readChecks = (output: string): readonly (readonly number[])[] | undefined => {
  try {
    return JSON.parse(output) as number[][]
  } catch {
    return undefined
  }
}

/** The share of the equations that hold, and of each step whether its own do; ½ for a step without any. */
const checkEquations = async (
  sandbox: Sandbox,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<Score> => {
  const equations = texts.map(equationsIn)
  if (equations.every((each) => each.length === 0)) {
    return nothing('The draft has neither a program nor an equation that could be checked.')
  }
  const { output } = await sandbox.run(checking(equations), { signal })
  const steps = readChecks(output)
  if (steps === undefined) return nothing('The equations of the draft could not be checked.')
  const all = steps.flat()
  return {
    score: all.reduce((sum, value) => sum + value, 0) / all.length,
    steps: steps.map((checks) => (checks.length === 0 ? 0.5 : Math.min(...checks))),
  }
}

/** 1 when the program prints the answer that stands outside of it, or none stands there; else 0. */
const runProgram = async (
  sandbox: Sandbox,
  program: string,
  rest: string,
  signal: AbortSignal,
): Promise<Score> => {
  const { output, error } = await sandbox.run(program, { signal })
  if (error !== undefined) {
    return { score: 0, warning: { code: 'program_failed', message: error } }
  }
  const [stated, printed] = [answerOf(rest), answerOf(output)]
  return { score: printed !== undefined && (stated ?? printed) === printed ? 1 : 0 }
}

/** Range [0, 1]; no model call. */
export const createExecution = (sandbox: Sandbox, prompts: RolePrompts): Scorer => ({
  name: 'execution',
  range: [0, 1],
  score: async (_, { text }, { signal }) => {
    const { blocks, prose } = partsOf(text)
    const program = programOf(blocks)
    if (program !== undefined) return runProgram(sandbox, program, prose, signal)
    if (blocks.some(({ language }) => language.startsWith('py'))) {
      return nothing('Programs in Python are not run, only JavaScript.')
    }
    return checkEquations(sandbox, prompts.splitSteps(text), signal)
  },
})
