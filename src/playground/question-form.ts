/** The form: what there is to choose from comes from the server, what was chosen becomes a request. */
import type { Client } from '../client/client.ts'
import type { RunEvent, RunRequest, StrategyDescription } from '../client/wire.ts'
import { element, find } from './element.ts'
import { OptionsForm } from './options-form.ts'

type Created = Extract<RunEvent, { type: 'run.created' }>

const numberIn = (id: string): number | undefined => {
  const { value } = find(id, HTMLInputElement)
  return value === '' ? undefined : Number(value)
}

/** The fields that hold a number; undefined when none does. */
const numbersIn = <Name extends string>(...names: Name[]): Record<Name, number> | undefined => {
  const given = names
    .map((name) => [name, numberIn(name)] as const)
    .filter(([, value]) => value !== undefined)
  return given.length === 0 ? undefined : (Object.fromEntries(given) as Record<Name, number>)
}

/** By the fields that show them. */
const numbersOf = ({ budget, sampling, seed }: Created) => ({
  calls: budget.calls,
  tokens: budget.tokens,
  seconds: budget.seconds,
  temperature: sampling?.temperature,
  max_tokens: sampling?.max_tokens,
  seed,
})

export class QuestionForm {
  readonly form = find('ask', HTMLFormElement)
  readonly question = find('question', HTMLTextAreaElement)
  readonly #model = find('model', HTMLSelectElement)
  readonly #strategy = find('strategy', HTMLSelectElement)
  readonly #options = new OptionsForm(find('options', HTMLFieldSetElement))
  #strategies: readonly StrategyDescription[] = []

  get isLoaded(): boolean {
    return this.#strategies.length > 0
  }

  constructor() {
    this.#strategy.addEventListener('change', () => this.#showStrategy())
    this.question.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.form.requestSubmit()
    })
    // A browser says nothing of a field that is folded away, and sends nothing either.
    const unfold = ({ target }: Event): void =>
      (target as Element).closest('details')?.setAttribute('open', '')
    this.form.addEventListener('invalid', unfold, { capture: true })
  }

  /** Fills the lists. @throws WhetstoneError */
  async load(client: Client): Promise<void> {
    const [strategies, models] = await Promise.all([client.strategies(), client.models()])
    this.#strategies = strategies
    const alone = models.filter(({ strategy }) => strategy === null)
    const preferred = strategies.some(({ name }) => name === 'solver-reviewer-refiner')
      ? 'solver-reviewer-refiner'
      : strategies[0]?.name
    this.#model.replaceChildren(...alone.map(({ id }) => element('option', { value: id }, id)))
    this.#strategy.replaceChildren(
      ...strategies.map(({ name }) =>
        element('option', { value: name, selected: name === preferred }, name),
      ),
    )
    // Not before: asking loads what could not be loaded.
    for (const list of [this.#model, this.#strategy]) list.required = true
    this.#showStrategy()
  }

  /** Shows what a run was made with; its question only where this tab knows it, and never that of another. */
  restore(created: Created, question = ''): void {
    const { model, strategy, options } = created
    this.question.value = question
    for (const [id, value] of Object.entries(numbersOf(created)))
      find(id, HTMLInputElement).value = value === undefined ? '' : String(value)
    this.#model.value = model
    this.#strategy.value = strategy
    this.#showStrategy()
    this.#options.fill(options)
  }

  /** @throws SyntaxError when an option that takes JSON holds none. */
  request(): RunRequest & { readonly input: string } {
    const budget = numbersIn('calls', 'tokens', 'seconds')
    const sampling = numbersIn('temperature', 'max_tokens')
    const seed = numberIn('seed')
    return {
      input: this.question.value,
      model: this.#model.value,
      strategy: this.#strategy.value,
      options: this.#options.values(),
      ...(budget === undefined ? {} : { budget }),
      ...(sampling === undefined ? {} : { sampling }),
      ...(seed === undefined ? {} : { seed }),
    }
  }

  #showStrategy(): void {
    const strategy = this.#strategies.find(({ name }) => name === this.#strategy.value)
    find('about', HTMLElement).textContent =
      strategy === undefined ? '' : `${strategy.description} (${strategy.source})`
    this.#options.show(strategy?.options ?? {})
  }
}
