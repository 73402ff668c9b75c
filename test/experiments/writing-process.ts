/** Exposes and reports, from a unit on, until it is killed, and says of each unit when it was acknowledged: `e` and `f` lines. */
import { writeSync } from 'node:fs'
import { expose, openLoad, report, work } from './load.ts'

const opened = await openLoad(process.argv[2]!)
await work(
  64,
  Number(process.argv[3]),
  () => false,
  async (unit) => {
    await expose(opened, unit)
    writeSync(1, `e${unit}\n`)
    await report(opened, unit)
    writeSync(1, `f${unit}\n`)
  },
)
