/** Marks of a drawing as text. Colours are classes, so that the page alone decides on light and dark. */

export const escapeMarkup = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

type Attributes = Readonly<Record<string, string | number | undefined>>

const attributesOf = (attributes: Attributes): string =>
  Object.entries(attributes)
    .map(([name, value]) => {
      if (value === undefined) return ''
      const text =
        typeof value === 'number' ? String(Number(value.toFixed(2))) : escapeMarkup(value)
      return ` ${name}="${text}"`
    })
    .join('')

/** An element; `content` is markup. */
export const element = (name: string, attributes: Attributes, content = ''): string =>
  `<${name}${attributesOf(attributes)}>${content}</${name}>`

export const text = (x: number, y: number, words: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escapeMarkup(words))

/** What a pointer that rests on the mark is told. */
export const title = (words: string): string => element('title', {}, escapeMarkup(words))

export const line = (
  from: readonly [number, number],
  to: readonly [number, number],
  mark: string,
): string => element('line', { x1: from[0], y1: from[1], x2: to[0], y2: to[1], class: mark })

/** A drawing that shrinks with the page; `label` says what it shows. */
export const drawing = (width: number, height: number, label: string, content: string): string =>
  element(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label },
    content,
  )

/** Width of a text of the size given, roughly: enough to keep labels apart. */
export const textWidth = (words: string, size = 12): number => words.length * size * 0.56
