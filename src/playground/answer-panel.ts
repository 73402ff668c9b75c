/** The best answer so far, each revision of it, and what changed from one to the next. */
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

  #drawChips({ revisions }: RunView, shown: number): void {
    const chips = revisions.map(({ revision, candidate, score }) => {
      const words = score === null ? '' : ` · ${short(score)}`
      const chip = element(
        'button',
        {
          type: 'button',
          'aria-pressed': revision === shown,
          'aria-label': `Revision ${revision}, candidate ${candidate}${words}`,
        },
        `${revision}${words}`,
      )
      chip.setAttribute('aria-pressed', String(revision === shown))
      chip.addEventListener('click', () => {
        this.#chosen = revision === revisions.length ? undefined : revision
        this.draw(this.#view)
      })
      return chip
    })
    this.#chips.replaceChildren(...chips)
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
      return element(change.kind === 'added' ? 'ins' : 'del', {}, change.text)
    })
    this.#text.replaceChildren(...marks)
  }
}
