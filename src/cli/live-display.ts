import type { OutputStream } from './output.ts'
import { renderRun } from './render.ts'
import type { RunView } from './run-view.ts'

const FRAME_MS = 50
const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const CLEAR_LINE_END = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/**
 * Draws the run on the terminal's second screen, at most twenty times a second, and fewer where the terminal is slow.
 * A frame is drawn whole for the size the terminal has then, so that a resize needs no bookkeeping. The owner must
 * call `close`, also after a failure: it gives the first screen and the cursor back.
 */
export class LiveDisplay {
  readonly #stream: OutputStream
  readonly #view: RunView
  readonly #color: boolean
  #timer: NodeJS.Timeout | undefined
  #isDirty = false
  #isClosed = false

  constructor(stream: OutputStream, view: RunView, color: boolean) {
    this.#stream = stream
    this.#view = view
    this.#color = color
    stream.write(ENTER)
    stream.on('resize', this.update)
    this.update()
  }

  /** The view or the size has changed: draws now, or with the next frame. */
  readonly update = (): void => {
    this.#isDirty = true
    if (this.#timer === undefined && !this.#isClosed) this.#draw()
  }

  readonly #draw = (): void => {
    this.#timer = undefined
    if (!this.#isDirty) return
    this.#timer = setTimeout(this.#draw, FRAME_MS)
    if (this.#stream.writableNeedDrain) return
    this.#isDirty = false
    const { columns = 80, rows = 24 } = this.#stream
    const lines = renderRun(this.#view, { columns, rows }, this.#color)
    const body = lines.map((line) => line + CLEAR_LINE_END).join('\r\n')
    this.#stream.write(HOME + body + CLEAR_BELOW)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#stream.off('resize', this.update)
    this.#stream.write(LEAVE)
  }
}
