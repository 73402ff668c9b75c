/** The process of one contestant: opens it when told to, and runs one job after the other. */
import type { Contestant, ContestantName, OpenRequest, Reply, Request } from './contestant.ts'

type Open = (request: OpenRequest) => Promise<Contestant>

const OPENERS: Readonly<Record<ContestantName, () => Promise<Open>>> = {
  whetstone: async () => (await import('./whetstone.ts')).openWhetstone,
  'stock-loop': async () => (await import('./stock-loop.ts')).openStockLoop,
  'transformers.js': async () => (await import('./transformers.ts')).openTransformers,
  'node-llama-cpp': async () => (await import('./llama.ts')).openLlama,
  'llama-server': async () => (await import('./llama-server.ts')).openLlamaServer,
}

let contestant: Contestant | undefined

const obey = async (request: Exclude<Request, { close: true }>): Promise<Reply> => {
  if ('open' in request) {
    const open = await OPENERS[request.open.name]()
    contestant = await open(request.open)
    return { precision: contestant.precision }
  }
  const timing = await contestant!.run(request.job)
  return { timing, memory: timing.memory ?? process.memoryUsage.rss() }
}

const end = (): void => process.exit(0)

process.on('message', (request: Request) => {
  if ('close' in request) return void (contestant?.close() ?? Promise.resolve()).then(end, end)
  obey(request)
    .catch((thrown: unknown) => ({
      problem: thrown instanceof Error ? thrown.message : String(thrown),
    }))
    .then(
      (reply) => process.send?.(reply),
      () => process.exit(1),
    )
})
