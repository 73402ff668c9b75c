/**
 * How many exposures and reports the store of a plain install acknowledges per second, each durable against the death
 * of the process, and whether all of them are there afterwards: `node dist/loadtest/experiments.js [seconds] [width]`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expose, openLoad, report, work } from '../test/experiments/load.ts'

const seconds = Number(process.argv[2] ?? 5)
const width = Number(process.argv[3] ?? 256)

const folder = mkdtempSync(path.join(tmpdir(), 'whetstone-load-'))
try {
  const opened = await openLoad(folder)
  const before = process.cpuUsage()
  const start = performance.now()
  const units = await work(
    width,
    0,
    () => performance.now() - start > seconds * 1000,
    async (unit) => {
      await expose(opened, unit)
      await report(opened, unit)
    },
  )
  const elapsed = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  const busy = (user + system) / 1e6
  const { results } = await opened.experiments.view('load')
  const exposures = results.arms.reduce((sum, arm) => sum + arm.exposures, 0)
  const reports = results.arms.reduce((sum, arm) => sum + arm.metrics['correct']!.count, 0)
  const figures = {
    seconds: Number(elapsed.toFixed(2)),
    at_a_time: width,
    exposures_per_second: Math.round(units / elapsed),
    feedbacks_per_second: Math.round(units / elapsed),
    /** What one core does that has nothing else to do. */
    both_per_second_of_cpu: Math.round(units / busy),
    lost: 2 * units - exposures - reports,
  }
  process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
  await opened.experiments.idle()
  await opened.store.close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
