// Runs Node with what glibc's memory has to be told before anything of ours runs, and so takes a process of its own:
// large pages, for a model's weights are read from end to end for every token, and pages of 4 KiB cost a fifth of the
// time of a step; and that large arrays, such as caches of samples, are given back when they are freed. By itself glibc
// keeps up to 32 MiB of each such hole, which for SmolLM2-135M was a quarter of the process.
import { spawn } from 'node:child_process'

const TUNABLES = {
  'glibc.malloc.hugetlb': 1,
  'glibc.malloc.mmap_threshold': 1024 * 1024,
  // Beside a threshold of one's own, the end of the heap would be given back at every 128 KiB.
  'glibc.malloc.trim_threshold': 32 * 1024 * 1024,
}

const env = { ...process.env }
if (process.platform === 'linux') {
  const given = env.GLIBC_TUNABLES ?? ''
  const ours = Object.entries(TUNABLES).filter(([name]) => !given.includes(name))
  env.GLIBC_TUNABLES = [given, ...ours.map((each) => each.join('='))].filter(Boolean).join(':')
}

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
