/** Building the page: nothing is ever read as HTML, so what a model writes stays text. */
type Attributes = Readonly<Record<string, string | number | boolean>>

export const element = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, '')
    else if (value !== false) made.setAttribute(name, String(value))
  }
  made.append(...children)
  return made
}

/** @throws TypeError when the page has no such element, or it is another one. */
export const find = <Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind => {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new TypeError(`The page has no ${kind.name} "${id}".`)
  return found
}

/** An amount in words, and as a bar for the eye where it is a share of something. */
export const bar = (
  name: string,
  words: string,
  share: number | undefined,
  kind = '',
): HTMLElement => {
  const label = element('b', { title: name }, name)
  const row = element(
    'div',
    { class: 'meter' },
    element('span', {}, label, element('i', {}, words)),
  )
  if (share === undefined || !Number.isFinite(share)) return row
  const fill = element('div')
  fill.style.width = `${Math.round(Math.min(1, Math.max(0, share)) * 100)}%`
  row.append(element('div', { class: `bar ${kind}`, 'aria-hidden': 'true' }, fill))
  return row
}

/** Short enough for a chip: 12, 0.83, 1.2k. */
export const short = (value: number): string => {
  if (Math.abs(value) >= 10_000) return `${(value / 1000).toFixed(0)}k`
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
