/** Progress of a pull or an import: a bar on a terminal, lines elsewhere. */
import type { StoreEvent } from '../core/model-store.ts'
import { clipEnd } from './display-text.ts'
import type { OutputStream } from './output.ts'

const BAR_CELLS = 24
/** The bar is drawn anew at most this often. */
const REDRAW_MS = 100
/** The rate is that of the last seconds. */
const RATE_WINDOW_MS = 5000
/** Without a terminal, a line is written whenever this share of all bytes has come in addition. */
const LINE_SHARE = 0.1

export const bytesText = (bytes: number): string => {
  if (bytes < 1e3) return `${bytes} B`
  const [unit, size] = bytes < 1e6 ? ['kB', 1e3] : bytes < 1e9 ? ['MB', 1e6] : ['GB', 1e9]
  return `${(bytes / (size as number)).toFixed(unit === 'GB' ? 2 : 1)} ${unit}`
}

const timeText = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const shown = parts[0] === 0 ? parts.slice(1) : parts
  return shown
    .map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, '0')))
    .join(':')
}

export class StoreProgress {
  readonly #stream: OutputStream
  readonly #now: () => number
  readonly #isTerminal: boolean
  #total = 0
  #done = 0
  #told = 0
  #drawnAt = -Infinity
  #isDrawn = false
  #points: { readonly at: number; readonly done: number }[] = []

  /** @param now a clock in milliseconds */
  constructor(stream: OutputStream, now: () => number = () => performance.now()) {
    this.#stream = stream
    this.#now = now
    this.#isTerminal = stream.isTTY === true
  }

  readonly report = (event: StoreEvent): void => {
    switch (event.type) {
      case 'note':
        this.#line(event.text)
        break
      case 'plan':
        this.#begin(event)
        break
      case 'bytes':
        this.#advance(event.count)
        break
      case 'file':
        this.#line(`  ${event.path}  ${bytesText(event.size)}`)
        break
    }
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isDrawn) this.#stream.write('\r\u001B[2K')
    this.#isDrawn = false
  }

  #begin({ files, bytes, done }: Extract<StoreEvent, { type: 'plan' }>): void {
    this.#total = bytes
    this.#done = done
    this.#told = done
    this.#points = [{ at: this.#now(), done }]
    const held = done === 0 ? '' : `, ${bytesText(done)} of it there already`
    this.#line(`${files} ${files === 1 ? 'file' : 'files'}, ${bytesText(bytes)}${held}`)
  }

  #advance(count: number): void {
    this.#done += count
    const at = this.#now()
    this.#points.push({ at, done: this.#done })
    while (this.#points.length > 2 && at - this.#points[1]!.at > RATE_WINDOW_MS)
      this.#points.shift()
    if (this.#isTerminal) {
      if (at - this.#drawnAt >= REDRAW_MS) this.#draw()
    } else if (this.#done - this.#told >= this.#total * LINE_SHARE) {
      this.#told = this.#done
      this.#line(this.#state())
    }
  }

  get #share(): number {
    return this.#total === 0 ? 1 : Math.min(1, Math.max(0, this.#done / this.#total))
  }

  /** Percent, bytes, rate and time left. */
  #state(): string {
    const [first, last] = [this.#points[0]!, this.#points.at(-1)!]
    const seconds = (last.at - first.at) / 1000
    const rate = seconds > 0 ? Math.max(0, (last.done - first.done) / seconds) : 0
    const left = rate > 0 ? `  ${timeText((this.#total - this.#done) / rate)} left` : ''
    return `${String(Math.floor(this.#share * 100)).padStart(3)} %  ${bytesText(this.#done)} of ${bytesText(this.#total)}  ${bytesText(Math.round(rate))}/s${left}`
  }

  #draw(): void {
    this.#drawnAt = this.#now()
    const full = Math.round(this.#share * BAR_CELLS)
    const bar = '█'.repeat(full) + '░'.repeat(BAR_CELLS - full)
    const text = clipEnd(`${bar} ${this.#state()}`, (this.#stream.columns ?? 80) - 1)
    this.#stream.write(`\r\u001B[2K${text}`)
    this.#isDrawn = true
  }

  #line(text: string): void {
    this.end()
    this.#stream.write(`${text}\n`)
    if (this.#isTerminal && this.#total > 0 && this.#done < this.#total) this.#draw()
  }
}
