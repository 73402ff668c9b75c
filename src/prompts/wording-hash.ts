import { createHash } from 'node:crypto'
import type { RolePrompts } from '../core/prompts.ts'
import type { Task } from '../core/task.ts'

const TASK: Task = {
  messages: [
    { role: 'system', content: 'S' },
    { role: 'user', content: 'U' },
    { role: 'assistant', content: 'V' },
    { role: 'user', content: 'Q' },
  ],
  sampling: {},
}

/** SHA-256, in hex, over everything a set says about a fixed task: it changes whenever any wording does. */
export const hashWording = (prompts: Omit<RolePrompts, 'hash'>): string => {
  const said = [
    prompts.name,
    prompts.solve(TASK),
    prompts.review(TASK, '- a\n- b'),
    prompts.review(TASK, '- a\n- b', [0.5, 1]),
    prompts.refine(TASK, '- a', undefined),
    prompts.refine(TASK, '- a', 'c', [{ text: 'd', critique: 'e' }]),
    prompts.judgeDigit(TASK, '- a'),
    prompts.judgeVerdict(TASK, '- a') ?? null,
    prompts.compare(TASK, '- a', '- b'),
    prompts.verify(TASK),
    prompts.verifyVerdict(TASK, ['a', 'b']) ?? null,
    prompts.critique?.(TASK, '- a') ?? null,
    prompts.verifyReport?.(TASK, '- a') ?? null,
    prompts.aggregate?.(TASK, ['- a', '- b']) ?? null,
    prompts.synthesise?.(TASK, ['- a', '- b']) ?? null,
    prompts.distil?.(TASK, ['- a', '- b'], 100) ?? null,
    prompts.solveFrom?.(TASK, 'n') ?? null,
    prompts.select?.(TASK, ['- a', '- b']) ?? null,
    prompts.solveBy?.(TASK, 'g') ?? null,
    prompts.paraphrase?.(TASK) ?? null,
    prompts.judgeRubric?.(TASK, '- a', ['b', 'c']) ?? null,
    prompts.solveByProgram?.(TASK) ?? null,
    prompts.halt?.(TASK, ['- a', '- b']) ?? null,
    ...(prompts.secondLook === undefined ? [] : [prompts.secondLook.ask(TASK, '- a', '1 b ok')]),
    prompts.reflection,
    prompts.answerCue,
  ]
  return createHash('sha256').update(JSON.stringify(said)).digest('hex')
}
