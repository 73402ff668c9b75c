/**
 * Tickets that let a web page open a socket: a browser can send no key with one, and a key in a URL would end up in logs.
 * Kept in memory: one that outlived a restart would not outlive its minute.
 */
import { createHash, randomBytes } from 'node:crypto'

/** How long a ticket is good, in milliseconds. */
export const TICKET_LIFETIME = 60_000
/** More than this at a time means that somebody asks for tickets without using them. */
const MOST_TICKETS = 10_000

export interface Ticket {
  readonly owner: string
  /** Origin of the page it was made for; undefined for any page that may open sockets anyway. */
  readonly origin: string | undefined
  readonly expires: number
}

const digest = (ticket: string): string => createHash('sha256').update(ticket).digest('hex')

export class SocketTickets {
  readonly #tickets = new Map<string, Ticket>()

  /** Makes a ticket; undefined when there are too many that nobody used. */
  issue(owner: string, origin: string | undefined, now = Date.now()): string | undefined {
    this.#forget(now)
    if (this.#tickets.size >= MOST_TICKETS) return undefined
    const ticket = `wst_${randomBytes(24).toString('base64url')}`
    this.#tickets.set(digest(ticket), { owner, origin, expires: now + TICKET_LIFETIME })
    return ticket
  }

  /** Takes the ticket: it can be used once. Undefined when it is unknown, used or expired. */
  redeem(ticket: string, now = Date.now()): Ticket | undefined {
    const name = digest(ticket)
    const found = this.#tickets.get(name)
    this.#tickets.delete(name)
    return found !== undefined && found.expires > now ? found : undefined
  }

  /** The oldest come first, and all live equally long. */
  #forget(now: number): void {
    for (const [name, { expires }] of this.#tickets) {
      if (expires > now) return
      this.#tickets.delete(name)
    }
  }
}
