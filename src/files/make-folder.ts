import { mkdirSync, statSync } from 'node:fs'
import path from 'node:path'

const isFolder = (place: string): boolean =>
  statSync(place, { throwIfNoEntry: false })?.isDirectory() === true

/**
 * Makes the folder with those above it; one that is there is left as it is. Node's own way never ends where a folder
 * takes none, as in /proc.
 * @throws what the system refuses it with, which names the folder that cannot be made
 */
export const makeFolder = (folder: string): void => {
  if (isFolder(folder)) return
  const above = path.dirname(folder)
  if (above !== folder) makeFolder(above)
  try {
    mkdirSync(folder)
  } catch (cause) {
    // Another process may have made it meanwhile.
    if (!isFolder(folder)) throw cause
  }
}
