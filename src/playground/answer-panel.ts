/** The best answer so far, each revision of it, and what changed from one to the next. */
import type { Revision } from '../client/wire.ts'
import { element, find, short } from './element.ts'
import type { RunView } from './run-view.ts'
import { wordDiff } from './word-diff.ts'

export class AnswerPanel {
  readonly #panel = find('answer', HTMLElement)
  readonly #chips = find('revisions', HTMLElement)
  readonly #reason = find('reason', HTMLElement)
  readonly #text = find('text', HTMLElement)
  readonly #changes = find('changes', HTMLInputElement)
  #view: RunView | undefined
  /** The revision looked at; undefined follows the newest. */
  #chosen: number | undefined
  #drawn = ''

  constructor() {
    this.#changes.addEventListener('change', () => this.draw(this.#view))
  }

  reset(): void {
    this.#chosen = undefined
    this.#drawn = ''
    this.#chips.replaceChildren()
    this.#panel.hidden = true
  }

  draw(view: RunView | undefined): void {
    this.#view = view
    if (view === undefined || view.answer === undefined) return
    this.#panel.hidden = false
    const shown = this.#chosen ?? view.revisions.length
    const state = `${view.revisions.length} ${shown} ${this.#changes.checked} ${view.answer.text}`
    if (state === this.#drawn) return
    this.#drawn = state
    this.#drawChips(view, shown)
    this.#drawText(view, shown)
  }

  /** Adds those that are new: one that has the keyboard's focus keeps it. */
  #drawChips({ revisions }: RunView, shown: number): void {
    const fresh = revisions.slice(this.#chips.childElementCount)
    this.#chips.append(...fresh.map((revision) => this.#chipFor(revision)))
    for (const [at, chip] of [...this.#chips.children].entries()) {
      chip.setAttribute('aria-pressed', String(at + 1 === shown))
    }
  }

  #chipFor({ revision, candidate, score }: Revision): HTMLButtonElement {
    const words = score === null ? '' : ` · ${short(score)}`
    const label = `Revision ${revision}, candidate ${candidate}${words}`
    const chip = element('button', { type: 'button', 'aria-label': label }, `${revision}${words}`)
    chip.addEventListener('click', () => {
      this.#chosen = revision === this.#view?.revisions.length ? undefined : revision
      this.draw(this.#view)
    })
    return chip
  }

  #drawText({ revisions, answer }: RunView, shown: number): void {
    const revision = revisions[shown - 1]
    const before = revisions[shown - 2]
    const text = revision?.text ?? answer?.text ?? ''
    this.#reason.textContent =
      revision === undefined
        ? 'What was written when the run ended.'
        : `Revision ${revision.revision} of ${revisions.length} is candidate #${revision.candidate}: ${revision.reason}`
    if (before === undefined || !this.#changes.checked) {
      this.#text.replaceChildren(text)
      return
    }
    const marks = wordDiff(before.text, text).map((change) => {
      if (change.kind === 'same') return change.text
      // Read aloud, what is gone would be part of the answer.
      return change.kind === 'added'
        ? element('ins', {}, change.text)
        : element('del', { 'aria-hidden': 'true' }, change.text)
    })
    this.#text.replaceChildren(...marks)
  }
}
