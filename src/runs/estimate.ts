import type { RunStore } from '../core/run-store.ts'
import { measureTask, promptTokensOf, type Parts, type Plan } from './plan.ts'
import type { Estimate, TokenCount, TotalCost } from './run-service.ts'

/** Counts what a draft of the run would be made from. */
export const countPrompt = async (plan: Plan): Promise<TokenCount> => {
  const { generator } = plan.models
  const { contextLength = Infinity, estimatesTokens = false } = generator
  if (!estimatesTokens) await generator.ready()
  const input_tokens = await promptTokensOf(plan)
  return { input_tokens, exact: !estimatesTokens && input_tokens <= contextLength }
}

/**
 * What the run may take at most, and what runs of its kind took on average. The generator must be able to count
 * tokens, so it is loaded first.
 */
export const estimateRun = async (plan: Plan, parts: Parts, store: RunStore): Promise<Estimate> => {
  await plan.models.generator.ready()
  const size = await measureTask(plan, parts.defaults)
  const byRole = plan.strategy.worstCase(size, plan.options)
  const total = { calls: 0, input_tokens: 0, output_tokens: 0, cost: 0 }
  for (const { role, calls, inputTokens, outputTokens, model } of byRole) {
    const { price } = (model === undefined ? undefined : plan.named.get(model)) ?? plan.models[role]
    total.calls += calls
    total.input_tokens += inputTokens
    total.output_tokens += outputTokens
    total.cost += (inputTokens * price.input + outputTokens * price.output) / 1e6
  }
  const { calls = Infinity, tokens = Infinity, cost = Infinity } = plan.budget
  const worstCase: TotalCost = {
    calls: Math.min(total.calls, calls),
    input_tokens: Math.min(total.input_tokens, tokens),
    output_tokens: Math.min(total.output_tokens, tokens),
    cost: Math.min(total.cost, cost),
  }
  const kind = { strategy: plan.strategy.name, model: plan.model.id, options: plan.options }
  const mean = await store.meanUsage(kind)
  return {
    worst_case: worstCase,
    expected:
      mean === undefined
        ? null
        : {
            calls: mean.calls,
            input_tokens: mean.input_tokens,
            output_tokens: mean.output_tokens,
            cost: mean.cost,
          },
    by_role: byRole,
  }
}
