/** Text in lines as JSON Lines has them. */

/**
 * The text by its line feeds and nothing else: JSON may hold any other separator as it stands (U+2028), and takes a carriage
 * return at the end for white space. A byte order mark at the beginning is left out; an end without a line feed is a line.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const [end = '', ...begun] = decoder.decode(chunk, { stream: true }).split('\n')
    rest += end
    for (const text of begun) {
      yield rest
      rest = text
    }
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}
