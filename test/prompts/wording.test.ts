import assert from 'node:assert/strict'
import test from 'node:test'
import { messageText } from '../../src/core/conversation.ts'
import type { PromptSet } from '../../src/core/language-model.ts'
import type { Message, Task } from '../../src/core/task.ts'
import { promptsFor } from '../../src/prompts/index.ts'
import { hashWording } from '../../src/prompts/wording-hash.ts'
import { REVIEW_TOKENS, VERDICT_TOKENS, WORDING_TOKENS } from '../../src/strategies/parts/cost.ts'

const task: Task = { messages: [{ role: 'user', content: 'Q' }], sampling: {} }
const tokens = (messages: readonly Message[]): number =>
  messages.reduce(
    (sum, message) => sum + Math.ceil(Buffer.byteLength(messageText(message)) / 3) + 8,
    0,
  )

for (const set of ['compact', 'full'] as const satisfies readonly PromptSet[]) {
  const prompts = promptsFor(set)

  test(`the wording of the ${set} prompts stays within what worst cases allow`, () => {
    const verdicts = [
      prompts.judgeDigit(task, 'x'),
      prompts.judgeVerdict(task, 'x'),
      prompts.compare(task, 'x', 'y'),
      prompts.verifyVerdict(task, ['x']),
      prompts.verifyVerdict(
        task,
        Array.from({ length: 64 }, () => 'x'),
      ),
    ].filter((prompt) => prompt !== undefined)
    const review = prompts.review(task, 'x', [0.5])
    const refine = prompts.refine(task, 'x', 'c', [{ text: 'd', critique: undefined }])
    for (const { messages } of [...verdicts.slice(0, -1), review, refine]) {
      assert.ok(tokens(messages) <= WORDING_TOKENS, `${tokens(messages)} tokens`)
    }
    for (const { maxTokens } of verdicts) assert.ok(maxTokens <= VERDICT_TOKENS)
    assert.ok(review.maxTokens <= REVIEW_TOKENS)
    assert.ok(tokens([{ role: 'user', content: prompts.reflection }]) <= 48)
  })

  test(`any other wording gives the ${set} prompts another hash`, () => {
    assert.equal(hashWording(prompts), prompts.hash)
    assert.notEqual(hashWording({ ...prompts, reflection: 'Hm.' }), prompts.hash)
    const refine: typeof prompts.refine = (...given) => ({
      ...prompts.refine(...given),
      maxTokens: 1,
    })
    assert.notEqual(hashWording({ ...prompts, refine }), prompts.hash)
  })
}
