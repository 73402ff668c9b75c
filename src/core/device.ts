/** What an embedded model can compute on. `auto` takes a GPU where one is sure to work, else the processor. */
export const DEVICES = ['auto', 'cpu', 'cuda', 'webgpu', 'coreml', 'directml'] as const
export type Device = (typeof DEVICES)[number]
