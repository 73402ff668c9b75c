/** Models that think aloud write `<think>…</think>` first, or, where their template opens it, only its end. */

const START = '<think>'
const END = '</think>'

/** What stands behind the thinking; the whole text of a model that does none, or has not come to its end. */
export const withoutThinking = (text: string): string => {
  const end = text.lastIndexOf(END)
  return text.slice(end < 0 ? 0 : end + END.length).trim()
}

/**
 * What a model said to whoever asked it: what stands behind its thinking, or undefined for a thinking that has no end, whose
 * beginnings of verdicts are none. That cannot be told where the template opened it.
 */
export const replyOf = (text: string): string | undefined =>
  text.trimStart().startsWith(START) && !text.includes(END) ? undefined : withoutThinking(text)
