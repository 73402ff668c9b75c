/** Whether a folder holds a model that the embedded engine can run. */
import type { CheckpointChecks } from '../hub/pull.ts'
import { createOnnxModel } from '../onnx.ts'

const open = (folder: string) => createOnnxModel({ id: folder, folder, prompts: 'full' })

export const CHECKPOINT_CHECKS: CheckpointChecks = {
  settings: (folder) => open(folder).close(),
  load: async (folder) => {
    const model = open(folder)
    try {
      await model.ready()
    } finally {
      await model.close()
    }
  },
}
