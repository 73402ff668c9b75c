/** Programs inside of texts. */

export interface CodeBlock {
  /** As the block names it, in lower case. */
  readonly language: string
  readonly code: string
}

interface Parts {
  readonly blocks: readonly CodeBlock[]
  /** What stands outside of them. */
  readonly prose: string
}

/** Line by line, so that the work grows with the text alone. A block that is never closed is none. */
export const partsOf = (text: string): Parts => {
  const blocks: { language: string; code: string }[] = []
  const prose: string[] = []
  let open: { language: string; lines: string[] } | undefined
  for (const line of text.split('\n')) {
    const fence = /^\s{0,3}```\s*(\w*)/.exec(line)
    if (fence === null) (open?.lines ?? prose).push(line)
    else if (open === undefined) open = { language: fence[1]!.toLowerCase(), lines: [] }
    else {
      blocks.push({ language: open.language, code: open.lines.join('\n') })
      open = undefined
    }
  }
  return { blocks, prose: [...prose, ...(open?.lines ?? [])].join('\n') }
}

const SCRIPTS: readonly string[] = ['js', 'javascript']

/** The last block in JavaScript. */
export const programOf = (blocks: readonly CodeBlock[]): string | undefined =>
  blocks.findLast(({ language }) => SCRIPTS.includes(language))?.code
