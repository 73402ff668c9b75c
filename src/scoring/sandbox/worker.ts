/** Runs programs inside QuickJS, compiled to WebAssembly: an interpreter of its own memory, without any host function. */
import { parentPort } from 'node:worker_threads'
import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSWASMModule,
} from 'quickjs-emscripten-core'
import type { Outcome } from '../../core/sandbox.ts'
import { processorTime } from './processor-time.ts'

export interface Program {
  readonly id: number
  readonly program: string
  /** Of processor time, where the platform tells it. */
  readonly milliseconds: number
  /** Of the clock, however little of them the machine gave to the program. */
  readonly mostMilliseconds: number
}
export type Ran = Outcome & { readonly id: number }

const MEMORY_BYTES = 16 * 1024 * 1024
const STACK_BYTES = 256 * 1024
const MOST_OUTPUT = 10_000

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))

/** Gives the program `print`, under its usual name as well; returns what was printed so far. */
const listen = (context: QuickJSContext): (() => string) => {
  let printed = ''
  const print = context.newFunction('print', (...handles) => {
    if (printed.length > MOST_OUTPUT) return
    printed += `${handles.map((handle) => textOf(context.dump(handle))).join(' ')}\n`
  })
  const holder = context.newObject()
  context.setProp(holder, 'log', print)
  context.setProp(context.global, 'console', holder)
  context.setProp(context.global, 'print', print)
  holder.dispose()
  print.dispose()
  return () => printed
}

const describe = (error: unknown): string => {
  if (typeof error !== 'object' || error === null) return textOf(error)
  const { name = 'Error', message = '' } = error as { name?: string; message?: string }
  return `${name}: ${message}`.slice(0, 500)
}

const evaluate = (context: QuickJSContext, program: string): Outcome => {
  const printed = listen(context)
  const result = context.evalCode(program, 'program.js')
  const handle = result.error ?? result.value
  const value: unknown = context.dump(handle)
  handle.dispose()
  if (result.error !== undefined) {
    return { output: printed().slice(0, MOST_OUTPUT), error: describe(value) }
  }
  const last = value === undefined ? '' : textOf(value)
  return { output: `${printed()}${last}`.slice(0, MOST_OUTPUT).trim(), error: undefined }
}

/** Says when a program that starts now has had its time. The processor is asked only once the clock has said so. */
const watch = ({ milliseconds, mostMilliseconds }: Program): (() => boolean) => {
  const [start, began] = [Date.now(), processorTime()]
  return () => {
    const passed = Date.now() - start
    if (passed < milliseconds) return false
    if (began === undefined || passed >= mostMilliseconds) return true
    return (processorTime() ?? Infinity) - began >= milliseconds
  }
}

/** A program has a runtime to itself; a value too large to be read counts as a failure of the program. */
const runAlone = (quickJs: QuickJSWASMModule, job: Program): Outcome => {
  const runtime = quickJs.newRuntime()
  runtime.setMemoryLimit(MEMORY_BYTES)
  runtime.setMaxStackSize(STACK_BYTES)
  runtime.setInterruptHandler(watch(job))
  const context = runtime.newContext()
  try {
    return evaluate(context, job.program)
  } catch (thrown) {
    return { output: '', error: describe(thrown) }
  } finally {
    context.dispose()
    runtime.dispose()
  }
}

const quickJs = newQuickJSWASMModuleFromVariant(
  // Not a static import: the types of its default export are those of its CommonJS build.
  import('@jitl/quickjs-wasmfile-release-sync'),
)
const port = parentPort!
port.on('message', (job: Program) => {
  void quickJs.then((module) => {
    port.postMessage({ id: job.id, ...runAlone(module, job) } satisfies Ran)
  })
})
