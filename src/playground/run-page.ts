/** A run on the page. Events only mark it as changed; it is drawn once per frame at most, however fast they come. */
import type { RunEvent } from '../client/wire.ts'
import { AnswerPanel } from './answer-panel.ts'
import { CandidateCard } from './candidate-card.ts'
import { bar, element, find, short } from './element.ts'
import { RunView } from './run-view.ts'

const STATUS: Readonly<Record<string, string>> = {
  queued: 'Waiting',
  running: 'Running',
  completed: 'Done',
  failed: 'Failed',
  cancelled: 'Stopped',
}

const UNITS = ['calls', 'tokens', 'seconds', 'cost'] as const

/** Leading answers shown of a vote. */
const MAX_BALLOTS = 8

export class RunPage {
  readonly #answer = new AnswerPanel()
  readonly #cards = new Map<number, CandidateCard>()
  readonly #grid = find('candidates', HTMLElement)
  #view = new RunView()
  #frame = 0
  #notesDrawn = ''

  get view(): RunView {
    return this.#view
  }

  /** Empty, for the next run. */
  reset(): void {
    this.#view = new RunView()
    this.#answer.reset()
    this.#cards.clear()
    this.#grid.replaceChildren()
    this.#notesDrawn = ''
    for (const id of ['state', 'vote', 'decisions', 'feedback']) find(id, HTMLElement).hidden = true
    find('empty', HTMLElement).hidden = true
    find('thanks', HTMLElement).textContent = ''
  }

  apply(event: RunEvent): void {
    this.#view.apply(event)
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.#draw()
    })
  }

  #draw(): void {
    this.#drawState()
    this.#answer.draw(this.#view)
    this.#drawCandidates()
    this.#drawVote()
    this.#drawNotes()
    find('feedback', HTMLElement).hidden = !this.#view.isOver || this.#view.answer === undefined
  }

  #drawState(): void {
    const { status, stopReason, error, created, candidates } = this.#view
    find('state', HTMLElement).hidden = false
    const why = error ?? stopReason?.replaceAll('_', ' ')
    const text = `${STATUS[status] ?? status}${why === undefined ? '' : `: ${why}`}`
    const place = find('status', HTMLElement)
    if (place.textContent !== text) place.textContent = text // screen readers say every change
    find('facts', HTMLElement).textContent =
      created === undefined
        ? ''
        : `${created.strategy} on ${created.model} · ${candidates.size} ${candidates.size === 1 ? 'candidate' : 'candidates'} · seed ${created.seed}`
    this.#drawBudget()
  }

  #drawBudget(): void {
    const { budget } = this.#view
    if (budget === undefined) return find('budget', HTMLElement).replaceChildren()
    const { spent, left } = budget
    const bars = UNITS.filter((unit) => unit !== 'cost' || spent.cost > 0 || left.cost !== null)
    find('budget', HTMLElement).replaceChildren(
      ...bars.map((unit) => {
        const rest = left[unit]
        const limit = rest === null ? undefined : spent[unit] + rest
        const words = short(spent[unit]) + (limit === undefined ? '' : ` of ${short(limit)}`)
        return bar(unit, words, limit === undefined ? undefined : spent[unit] / limit)
      }),
    )
  }

  #drawCandidates(): void {
    const { candidates, answer, isOver } = this.#view
    for (const candidate of candidates.values()) {
      let card = this.#cards.get(candidate.number)
      if (card === undefined) {
        card = new CandidateCard(candidate)
        this.#cards.set(candidate.number, card)
        this.#grid.append(card.element)
      }
      card.draw(candidate.number === answer?.candidate, isOver)
    }
  }

  #drawVote(): void {
    const { vote } = this.#view
    find('vote', HTMLElement).hidden = vote === undefined
    if (vote === undefined) return
    find('effective', HTMLElement).textContent =
      `${short(vote.effective_answers)} effective answers among ${vote.answers.length}`
    const total = vote.answers.reduce((sum, { weight }) => sum + weight, 0)
    const sorted = vote.answers.toSorted((left, right) => right.weight - left.weight)
    const rows = sorted.slice(0, MAX_BALLOTS).map(({ answer, weight, candidates }, at) => {
      const voters = candidates.map((candidate) => `#${candidate}`).join(' ')
      const share = total === 0 ? 0 : weight / total
      return bar(answer, `${short(weight)} from ${voters}`, share, at === 0 ? 'best' : '')
    })
    find('ballots', HTMLElement).replaceChildren(...rows)
  }

  #drawNotes(): void {
    const { notes } = this.#view
    const state = `${notes.length} ${notes.at(-1)?.text}`
    if (state === this.#notesDrawn) return
    this.#notesDrawn = state
    find('decisions', HTMLElement).hidden = notes.length === 0
    const list = find('notes', HTMLElement)
    list.replaceChildren(
      ...notes.map(({ subject, text }) => element('li', {}, element('b', {}, subject), ` ${text}`)),
    )
    list.scrollTop = list.scrollHeight
  }
}
