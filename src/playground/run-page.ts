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
  readonly #notes = find('notes', HTMLElement)
  #view = new RunView()
  #frame = 0
  #notesDrawn = 0

  get view(): RunView {
    return this.#view
  }

  /** Empty, for the next run. */
  reset(): void {
    this.#view = new RunView()
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    this.#answer.reset()
    this.#cards.clear()
    this.#grid.replaceChildren()
    this.#notesDrawn = 0
    this.#notes.replaceChildren()
    for (const id of ['state', 'vote', 'decisions', 'feedback']) find(id, HTMLElement).hidden = true
    find('empty', HTMLElement).hidden = true
    find('thanks', HTMLElement).textContent = ''
  }

  /** There is no run to show. */
  showEmpty(): void {
    find('empty', HTMLElement).hidden = false
  }

  apply(event: RunEvent): void {
    this.#view.apply(event)
    this.#drawSoon()
  }

  /** Nothing more comes of the run, though it may go on. */
  lose(): void {
    if (this.#view.created === undefined) return
    this.#view.isLost = true
    this.#drawSoon()
  }

  #drawSoon(): void {
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
    const { status, isLost, stopReason, error, created, candidates } = this.#view
    find('state', HTMLElement).hidden = false
    const why = error ?? stopReason?.replaceAll('_', ' ')
    const text = `${isLost ? 'Out of touch' : (STATUS[status] ?? status)}${why === undefined ? '' : `: ${why}`}`
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

  /** Adds what is new; the place scrolled to stays, unless it is the end. */
  #drawNotes(): void {
    const { notes, noted } = this.#view
    const fresh = noted - this.#notesDrawn
    if (fresh === 0) return
    this.#notesDrawn = noted
    find('decisions', HTMLElement).hidden = false
    const list = this.#notes
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 24
    const rows = notes
      .slice(-fresh)
      .map(({ subject, text }) => element('li', {}, element('b', {}, subject), ` ${text}`))
    list.append(...rows)
    while (list.childElementCount > notes.length) list.firstElementChild?.remove()
    if (isAtEnd) list.scrollTop = list.scrollHeight
  }
}
