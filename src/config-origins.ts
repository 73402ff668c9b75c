/** Origins of web pages, as browsers send them. */
import { wrong } from './config-error.ts'

const isOrigin = (text: string): boolean => {
  if (text === '*') return true // any
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(text) || !URL.canParse(text)) return false
  // Of schemes of their own, such as those of extensions, nothing more is known.
  return !/^https?:/.test(text) || new URL(text).origin === text
}

const check = (setting: string, origins: readonly string[]): readonly string[] => {
  const other = origins.find((origin) => !isOrigin(origin))
  if (other === undefined) return origins
  const expected =
    'must be * or an origin such as https://app.example, without a path or the usual port'
  throw wrong(setting, `${expected}, not "${other}"`)
}

/**
 * Those of the flag or variable, else those of the file.
 * @throws RefineError invalid_request for what no browser would ever send: it would never match.
 */
export const originsOf = (
  flag: string | undefined,
  file: readonly string[] | undefined,
): readonly string[] =>
  flag === undefined
    ? check('cors_origins', file ?? [])
    : check(
        '--cors-origin',
        flag.split(',').map((origin) => origin.trim()),
      )
