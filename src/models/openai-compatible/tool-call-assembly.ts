/** Puts the tool calls of one sample together from the fragments that upstreams stream. */
import { randomUUID } from 'node:crypto'
import type { ToolCall } from '../../core/tools.ts'
import { isRecord } from '../../core/validation.ts'
import { count, type Fields } from './upstream-fields.ts'

interface Fragments {
  id: string
  name: string
  arguments: string
}

/** A call cannot do without one, and not every upstream gives one. */
const freshId = (): string => `call_${randomUUID().replaceAll('-', '')}`

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Arguments are JSON text, from some upstreams the value itself. */
const argumentsOf = (value: unknown): string =>
  isRecord(value) ? JSON.stringify(value) : text(value)

export class ToolCallAssembly {
  readonly #calls = new Map<number, Fragments>()

  /** Takes the `tool_calls` of one delta; returns the number of bytes in it. */
  add(fragments: unknown): number {
    if (!Array.isArray(fragments)) return 0
    return (fragments as unknown[]).reduce<number>(
      (sum, fragment, at) => sum + (isRecord(fragment) ? this.#take(fragment, at) : 0),
      0,
    )
  }

  /** The calls in their order, each complete; a fragment that never got a name is left out. */
  finish(): ToolCall[] {
    const ordered = [...this.#calls].toSorted(([one], [other]) => one - other)
    const seen = new Set<string>()
    return ordered
      .filter(([, { name }]) => name !== '')
      .map(([, { id, name, arguments: given }]) => {
        const own = id === '' || seen.has(id) ? freshId() : id
        seen.add(own)
        return { id: own, type: 'function', function: { name, arguments: given || '{}' } }
      })
  }

  #take(fragment: Fields, position: number): number {
    const made = isRecord(fragment['function']) ? fragment['function'] : {}
    const id = text(fragment['id'])
    const call = this.#callAt(this.#indexOf(fragment, id, text(made['name']), position))
    const given = argumentsOf(made['arguments'])
    if (id !== '') call.id = id
    // Some repeat the whole name with every fragment, others send it once.
    if (call.name === '') call.name = text(made['name'])
    call.arguments += given
    return Buffer.byteLength(given)
  }

  /** Upstreams that leave out the index begin each call with an id, or with its name. */
  #indexOf(fragment: Fields, id: string, name: string, position: number): number {
    const index = count(fragment['index'])
    if (index !== undefined) return index
    const last = Math.max(-1, ...this.#calls.keys())
    const known = this.#calls.get(last)
    const begins =
      known === undefined || position > 0 || (id === '' ? name !== '' : id !== known.id)
    return begins ? last + 1 : last
  }

  #callAt(index: number): Fragments {
    const call = this.#calls.get(index) ?? { id: '', name: '', arguments: '' }
    this.#calls.set(index, call)
    return call
  }
}
