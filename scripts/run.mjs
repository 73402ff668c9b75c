// Runs Node on what is given to it, with large pages of memory where glibc can ask for them: a model's weights are read
// from end to end for every token, and pages of 4 KiB cost a fifth of the time of a step. The C library reads this
// before anything of ours runs, so it takes a process of its own.
import { spawn } from 'node:child_process'

const LARGE_PAGES = 'glibc.malloc.hugetlb'

const env = { ...process.env }
const tunables = env.GLIBC_TUNABLES ?? ''
if (process.platform === 'linux' && !tunables.includes(LARGE_PAGES))
  env.GLIBC_TUNABLES = [tunables, `${LARGE_PAGES}=1`].filter((part) => part !== '').join(':')

const child = spawn(process.execPath, process.argv.slice(2), { stdio: 'inherit', env })
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
// A terminal sends this one to both.
process.on('SIGINT', () => undefined)
child.on('error', (error) => {
  console.error(error.message)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
})
