/** Why a run was told to end from outside: reason of its abort signal. */
export class Stop extends Error {
  override readonly name = 'Stop'
  readonly reason: 'cancelled' | 'deadline' | 'accepted'

  constructor(reason: Stop['reason']) {
    super(`The run was stopped: ${reason}.`)
    this.reason = reason
  }
}
