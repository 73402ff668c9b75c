/** Puts a run's budget between a strategy and a model: every call is paid for before it is made. */
import type { BudgetLedger } from '../core/budget.ts'
import { BudgetSpent } from '../core/budget.ts'
import { contentText } from '../core/conversation.ts'
import type {
  CallOptions,
  GenerationChunk,
  GenerationRequest,
  LanguageModel,
} from '../core/language-model.ts'
import type { Message, Role } from '../core/task.ts'
import { counted, type Payment, type Tally } from './payment.ts'
import type { UsageAccount } from './usage-account.ts'

const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + (value ?? 0), 0)

/**
 * The longest answer the budget allows for each of the samples; what was asked for when that is less.
 * @throws BudgetSpent when not even one token each is left.
 */
const affordableTokens = (
  ledger: BudgetLedger,
  model: LanguageModel,
  promptTokens: number,
  samples: number,
  asked: number | undefined,
): number | undefined => {
  const byTokens = Math.floor((ledger.remaining('tokens') - promptTokens) / samples)
  const promptCost = (promptTokens * model.price.input) / 1e6
  const byCost =
    model.price.output > 0
      ? Math.floor(((ledger.remaining('cost') - promptCost) * 1e6) / (samples * model.price.output))
      : Infinity
  if (byTokens < 1) throw new BudgetSpent('tokens')
  if (byCost < 1) throw new BudgetSpent('cost')
  const most = Math.min(byTokens, byCost, asked ?? Infinity)
  return most === Infinity ? undefined : most
}

/** UTF-16 units of a prompt from which on its tokens are counted with pauses first: a millisecond's work. */
const LONG = 8192

const lengthOf = (messages: readonly Message[]): number =>
  messages.reduce((length, message) => length + contentText(message).length, 0)

/** Pays the calls of one role from the ledger and counts them. */
class Meter {
  readonly #model: LanguageModel
  readonly #role: Role
  readonly #ledger: BudgetLedger
  readonly #account: UsageAccount

  constructor(model: LanguageModel, role: Role, ledger: BudgetLedger, account: UsageAccount) {
    this.#model = model
    this.#role = role
    this.#ledger = ledger
    this.#account = account
  }

  generate(request: GenerationRequest, options: CallOptions): AsyncIterable<GenerationChunk> {
    const isLong = lengthOf(request.messages) >= LONG
    return isLong && this.#model.prepareCount !== undefined
      ? this.#generateLong(request, options)
      : this.#generate(request, options)
  }

  async *#generateLong(
    request: GenerationRequest,
    options: CallOptions,
  ): AsyncGenerator<GenerationChunk, void, void> {
    await this.#model.prepareCount!(request.messages, request.tools)
    yield* this.#generate(request, options)
  }

  #generate(
    request: GenerationRequest,
    options: CallOptions,
  ): AsyncIterableIterator<GenerationChunk> {
    const { samples, sampling, continueFrom = '' } = request
    const shared = this.#model.capabilities.parallel_samples === 'native'
    // Two bytes a token is more than any tokenizer needs for text it was made for.
    const prefix = Math.ceil(continueFrom.length / 2)
    const each = this.#model.countTokens(request.messages, request.tools) + prefix
    const prompt = each * (shared ? 1 : samples)
    const asked = this.#fitting(each, sampling.max_tokens)
    const most = affordableTokens(this.#ledger, this.#model, prompt, samples, asked)
    const payment = this.#pay(samples, prompt, (most ?? 0) * samples)
    const paid = most === undefined ? sampling : { ...sampling, max_tokens: most }
    return counted(this.#model.generate({ ...request, sampling: paid }, options), payment)
  }

  /**
   * What was asked for, as far as the context has room for it: upstreams refuse more, and prompts that show candidates are
   * longer than the one the limit was made for. Where there seems to be no room at all the model itself has to say so.
   */
  #fitting(promptTokens: number, asked: number | undefined): number | undefined {
    const room = (this.#model.contextLength ?? Infinity) - promptTokens
    return asked === undefined || room < 1 ? asked : Math.min(asked, room)
  }

  /** A call that reads a text of the assistant's and writes nothing. */
  async read<Result extends { readonly inputTokens: number; readonly cachedTokens: number }>(
    messages: readonly Message[],
    text: string,
    call: () => Promise<Result>,
  ): Promise<Result> {
    const whole: readonly Message[] = [...messages, { role: 'assistant', content: text }]
    if (text.length >= LONG) await this.#model.prepareCount?.(whole)
    const given = this.#model.countTokens(whole)
    const payment = this.#pay(1, given, 0)
    try {
      const result = await call()
      payment.tally.inputTokens = result.inputTokens
      payment.tally.cachedTokens = result.cachedTokens
      return result
    } finally {
      payment.settle()
    }
  }

  #pay(calls: number, input: number, output: number): Payment {
    const tally: Tally = { inputTokens: input, cachedTokens: 0, outputTokens: [] }
    const tokens = input + output
    const reservation = this.#ledger.reserve({ calls, tokens, cost: this.#cost(input, output) })
    const settle = (): void => {
      const written = sum(tally.outputTokens)
      const cost = this.#cost(tally.inputTokens, written)
      reservation.settle({ calls, tokens: tally.inputTokens + written, cost })
      this.#account.add(this.#role, { calls, written, cost, ...tally })
    }
    return { tally, settle }
  }

  #cost(input: number, output: number): number {
    const { price } = this.#model
    return (input * price.input + output * price.output) / 1e6
  }
}

type Readings = Pick<LanguageModel, 'scoreText' | 'scoreSteps' | 'scoreOutcome' | 'embed'>

/** Those that the model has. */
const readingsOf = (
  model: LanguageModel,
  meter: Meter,
  ranked: (options: CallOptions) => CallOptions,
): Readings => ({
  ...(model.scoreText !== undefined && {
    scoreText: (request, options) =>
      meter.read(request.messages, request.text, () => model.scoreText!(request, ranked(options))),
  }),
  ...(model.scoreSteps !== undefined && {
    scoreSteps: (request, options) =>
      meter.read(request.messages, request.steps.join('\n'), () =>
        model.scoreSteps!(request, ranked(options)),
      ),
  }),
  ...(model.scoreOutcome !== undefined && {
    scoreOutcome: (request, options) =>
      meter.read(request.messages, request.text, () =>
        model.scoreOutcome!(request, ranked(options)),
      ),
  }),
  ...(model.embed !== undefined && {
    embed: (request, options) =>
      meter.read([], request.texts.join('\n'), () => model.embed!(request, ranked(options))),
  }),
})

/**
 * The same model with its calls paid from the ledger and counted for the role. A token or money limit shortens
 * `max_tokens` to what is left; every call throws `BudgetSpent` when it cannot be paid at all.
 */
export const meterModel = (
  model: LanguageModel,
  role: Role,
  ledger: BudgetLedger,
  account: UsageAccount,
  { priority = 'interactive', trace }: Pick<CallOptions, 'priority' | 'trace'> = {},
): LanguageModel => {
  const meter = new Meter(model, role, ledger, account)
  const ranked = (options: CallOptions): CallOptions => ({ priority, trace, ...options })
  return {
    id: model.id,
    capabilities: model.capabilities,
    prompts: model.prompts,
    contextLength: model.contextLength,
    price: model.price,
    countTokens: (messages, tools) => model.countTokens(messages, tools),
    ...(model.prepareCount !== undefined && {
      prepareCount: (messages, tools) => model.prepareCount!(messages, tools),
    }),
    generate: (request, options) => meter.generate(request, ranked(options)),
    ...readingsOf(model, meter, ranked),
    ready: () => model.ready(),
    close: () => model.close(),
  }
}
