/** One candidate on the page: its text as it grows, what scorers and reviewers made of it, and what became of it. */
import { bar, element, short } from './element.ts'
import type { CandidateView, CritiqueView, ScoreView } from './run-view.ts'

const ENDINGS: Readonly<Record<string, string>> = {
  stop: 'done',
  length: 'cut off',
  content_filter: 'filtered',
  tool_calls: 'calls a tool',
  other: 'done',
}

const tagOf = ({ finish }: CandidateView, isBest: boolean, isOver: boolean): string => {
  if (isBest) return isOver ? 'the answer' : 'best so far'
  if (isOver && finish === null) return 'left'
  return finish === null ? 'writing' : (ENDINGS[finish] ?? finish)
}

const originOf = ({ role, parents, round }: CandidateView): string => {
  const from = parents.length === 0 ? '' : ` of ${parents.map((parent) => `#${parent}`).join(', ')}`
  return `${role}${from}${round === 0 ? '' : `, round ${round}`}`
}

/** From red to green over the range, on a line below the number. */
const colorOf = (value: number, [low = 0, high = 1]: readonly number[]): string => {
  const share = high === low ? 0.5 : Math.min(1, Math.max(0, (value - low) / (high - low)))
  return `hsl(${Math.round(share * 125)} 62% 46%)`
}

const stepList = ({ scorer, steps = [], range }: ScoreView): HTMLElement => {
  const items = steps.map((value, at) => {
    const label = `Step ${at + 1}: ${short(value)}`
    const item = element('li', { title: label, 'aria-label': label }, short(value))
    item.style.borderColor = colorOf(value, range)
    return item
  })
  return element('ol', { class: 'steps', 'aria-label': `Steps by ${scorer}` }, ...items)
}

const scoreRow = (score: ScoreView): HTMLElement => {
  const [low = 0, high = 1] = score.range
  const value = score.score
  const share = value === null || !Number.isFinite(high - low) ? 0 : (value - low) / (high - low)
  const words = value === null ? 'no score' : short(value)
  const row = element('div', { class: 'score' }, bar(score.scorer, words, share))
  if (score.steps !== undefined && score.steps.length > 0) row.append(stepList(score))
  return row
}

/** Adds what is new, so that a selection and the place scrolled to stay; follows the end while it is in sight. */
const write = (text: string, place: HTMLElement, box = place): void => {
  const isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 24
  const [node] = place.childNodes
  if (node instanceof Text && text.startsWith(node.data)) node.appendData(text.slice(node.length))
  else place.replaceChildren(document.createTextNode(text))
  if (isAtEnd) box.scrollTop = box.scrollHeight
}

/** A critique that is read stays where it is while others come. */
class CritiqueBox {
  readonly #heading = element('b')
  readonly #text = element('span')
  readonly element = element(
    'div',
    { role: 'group', 'aria-label': 'Critique', tabindex: 0 },
    this.#heading,
    this.#text,
  )

  draw({ text, verdict, step, isDone }: CritiqueView, isOver: boolean): void {
    const place = step === undefined ? '' : `, step ${step}`
    const title = isOver && !isDone ? 'Unfinished critique' : 'Critique'
    const head = verdict === undefined ? title : `Found ${verdict}`
    this.element.className = `critique ${verdict ?? ''}`
    this.#heading.textContent = `${head}${place}: `
    write(text, this.#text, this.element)
  }
}

export class CandidateCard {
  readonly element: HTMLElement
  readonly #candidate: CandidateView
  readonly #tag = element('span', { class: 'tag' })
  readonly #text = element('div', { class: 'text', role: 'group', tabindex: 0 })
  readonly #scores = element('div', { class: 'scores' })
  readonly #boxes: CritiqueBox[] = []
  readonly #critiques = element('div', { class: 'scores' })
  #drawn = ''

  constructor(candidate: CandidateView) {
    this.#candidate = candidate
    const name = `Candidate ${candidate.number}`
    this.#text.setAttribute('aria-label', `Text of candidate ${candidate.number}`)
    this.element = element(
      'article',
      { class: 'candidate', 'aria-label': name, 'data-candidate': candidate.number },
      element(
        'header',
        {},
        element('h3', {}, `#${candidate.number}`),
        element('span', { class: 'hint', title: candidate.model }, originOf(candidate)),
        this.#tag,
      ),
      this.#text,
      this.#scores,
      this.#critiques,
    )
  }

  /** Does nothing unless something changed. */
  draw(isBest: boolean, isOver: boolean): void {
    const { version, finish, text, scores, critiques } = this.#candidate
    const state = `${version} ${isBest} ${isOver}`
    if (state === this.#drawn) return
    this.#drawn = state
    const isWriting = finish === null && !isOver
    const { classList } = this.element
    classList.toggle('best', isBest)
    classList.toggle('writing', isWriting)
    classList.toggle('failed', finish === 'failed')
    classList.toggle('out', finish === 'failed' || finish === 'dropped')
    this.#tag.textContent = tagOf(this.#candidate, isBest, isOver)
    write(text, this.#text)
    this.#scores.replaceChildren(...scores.map(scoreRow))
    for (const [at, critique] of critiques.entries()) this.#boxAt(at).draw(critique, isOver)
  }

  #boxAt(at: number): CritiqueBox {
    const known = this.#boxes[at]
    if (known !== undefined) return known
    const box = new CritiqueBox()
    this.#boxes.push(box)
    this.#critiques.append(box.element)
    return box
  }
}
