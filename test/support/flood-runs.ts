/** A service with 200 MB of events, which tells how much of it was taken. */
import type { RunEvent } from '../../src/core/event.ts'
import { FakeRuns } from './fake-runs.ts'

/** Counts what is taken from the service while nobody reads. */
export class FloodRuns extends FakeRuns {
  taken = 0
  returned = false

  override async *events(id: string): AsyncGenerator<RunEvent, void, void> {
    const text = 'x'.repeat(10_000)
    try {
      for (let sequence = 1; sequence <= 20_000; sequence++) {
        this.taken++
        const at = new Date(0).toISOString()
        yield { run_id: id, sequence, at, type: 'candidate.delta', candidate: 0, text }
      }
    } finally {
      this.returned = true
    }
  }
}

/** Waits until the server has taken nothing new for a while: it is then as far as it will go. */
export const settled = async (runs: FloodRuns): Promise<void> => {
  for (let before = -1; before !== runs.taken || runs.taken === 0;) {
    before = runs.taken
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
