/**
 * What the runtime can compute on here. The runtime itself drops a provider that its build does not know, with a
 * warning, and goes on with the processor; so each is checked before a session is made for it.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { listSupportedBackends } from 'onnxruntime-node'
import { DEVICES, type Device } from '../../core/device.ts'

/** A device without the wish to choose one. */
export type RealDevice = Exclude<Device, 'auto'>

export const REAL_DEVICES = DEVICES.filter((device): device is RealDevice => device !== 'auto')

/** Names of the runtime's execution providers. */
export const PROVIDERS: Readonly<Record<RealDevice, string>> = {
  cpu: 'cpu',
  cuda: 'cuda',
  webgpu: 'webgpu',
  coreml: 'coreml',
  directml: 'dml',
}

const HOME: Readonly<Record<RealDevice, string>> = {
  cpu: 'every platform',
  cuda: 'Linux on x64',
  webgpu: 'Linux on x64, Windows and macOS on Apple silicon',
  coreml: 'macOS on Apple silicon',
  directml: 'Windows',
}

/** How to get what a device needs beside the runtime. */
export const ADVICE: Readonly<Record<RealDevice, string>> = {
  cpu: '',
  cuda: 'An NVIDIA driver, the CUDA 13 runtime libraries (cudart, cublas, curand) on the path of the loader, and ONNX Runtime’s provider for CUDA; the README says where it comes from',
  webgpu:
    'A driver for Vulkan on Linux (SwiftShader, which is software, will do; that of Mesa 22.3 will not), Direct3D 12 on Windows, Metal on macOS',
  coreml: 'macOS on Apple silicon',
  directml: 'Windows 10 or newer with a GPU for Direct3D 12',
}

/** Where the runtime loads its providers from; undefined when it is not installed as we know it. */
export const libraryFolder = (): string | undefined => {
  const require = createRequire(import.meta.url)
  const home = path.dirname(require.resolve('onnxruntime-node/package.json'))
  const folder = path.join(home, 'bin', 'napi-v6', process.platform, process.arch)
  return existsSync(folder) ? folder : undefined
}

const CUDA_LIBRARIES = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
] as const

/** Why this device cannot even be tried here; undefined when it can. */
export const obstacleOf = (device: RealDevice): string | undefined => {
  const names = listSupportedBackends().map(({ name }) => name as string)
  if (!names.includes(PROVIDERS[device]))
    return `the runtime for ${process.platform}/${process.arch} does not have it; it exists on ${HOME[device]}`
  if (device !== 'cuda') return undefined
  const folder = libraryFolder()
  const missing = CUDA_LIBRARIES.filter(
    (name) => folder === undefined || !existsSync(path.join(folder, name)),
  )
  if (missing.length === 0) return undefined
  return `${missing.join(' and ')} not found in ${folder ?? 'the folder of onnxruntime-node'}`
}

/**
 * What `auto` stands for: only devices of which it is known that they are faster than the processor wherever they
 * start at all. WebGPU is not one: its driver may be a program.
 */
export const AUTO_DEVICES: readonly RealDevice[] = ['cuda']

/** Whether the graph may come to run elsewhere than on the processor. */
export const mayLeaveProcessor = (device: Device): boolean =>
  device === 'auto'
    ? AUTO_DEVICES.some((candidate) => obstacleOf(candidate) === undefined)
    : device !== 'cpu'
