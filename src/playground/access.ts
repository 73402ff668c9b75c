/** The visitor's key, kept in this tab alone, and the client that uses it. */
import { createClient, type Client } from '../client/client.ts'
import { WhetstoneError } from '../client/whetstone-error.ts'
import { find } from './element.ts'

const KEY = 'whetstone-key'

const connect = (): Client => {
  const apiKey = sessionStorage.getItem(KEY)
  return createClient({
    baseUrl: new URL('.', location.href).href,
    ...(apiKey === null ? {} : { apiKey }),
  })
}

export class Access {
  client = connect()
  readonly #dialog = find('access', HTMLDialogElement)
  readonly #key = find('key', HTMLInputElement)

  /**
   * Tries again with another key as long as the server asks for one.
   * @throws what the attempt throws; the server's refusal when the visitor closes the dialog
   */
  async attempt<Result>(call: (client: Client) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await call(this.client)
      } catch (error) {
        if (!(error instanceof WhetstoneError) || error.status !== 401) throw error
        if (!(await this.#ask())) throw error
      }
    }
  }

  /** Whether the visitor gave a key. */
  async #ask(): Promise<boolean> {
    find('refused', HTMLElement).hidden = sessionStorage.getItem(KEY) === null
    this.#dialog.returnValue = ''
    this.#dialog.showModal()
    await new Promise((resolve) => this.#dialog.addEventListener('close', resolve, { once: true }))
    const key = this.#key.value.trim()
    this.#key.value = ''
    if (this.#dialog.returnValue === '') return false
    sessionStorage.setItem(KEY, key)
    this.client = connect()
    return true
  }
}
