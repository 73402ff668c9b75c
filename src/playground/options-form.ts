/** A form for any strategy's options, made from their JSON Schema. */
import { element } from './element.ts'

interface OptionSchema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly description?: string
}

const textOf = (value: unknown): string =>
  value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)

type Control = HTMLInputElement | HTMLSelectElement

const numeric = (schema: OptionSchema): HTMLInputElement =>
  element('input', {
    type: 'number',
    step: schema.type === 'integer' ? 1 : 'any',
    ...(schema.minimum === undefined ? {} : { min: schema.minimum }),
    ...(schema.maximum === undefined ? {} : { max: schema.maximum }),
    ...(schema.default === undefined ? { placeholder: 'none' } : { value: textOf(schema.default) }),
  })

const controlFor = (schema: OptionSchema): Control => {
  if (schema.enum !== undefined) {
    const choices = schema.enum.map((value) =>
      element('option', { value, selected: value === schema.default }, value),
    )
    return element('select', {}, ...choices)
  }
  if (schema.type === 'integer' || schema.type === 'number') return numeric(schema)
  if (schema.type === 'boolean') {
    return element('input', { type: 'checkbox', checked: schema.default === true })
  }
  return element('input', { value: textOf(schema.default) })
}

const readJson = (name: string, text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const reason = (cause as Error).message
    throw new SyntaxError(`The option "${name}" must be JSON: ${reason}`, { cause })
  }
}

/** @throws SyntaxError naming the field that takes JSON and holds none. */
const valueOf = (name: string, control: Control, schema: OptionSchema): unknown => {
  if (schema.type === 'boolean' && control instanceof HTMLInputElement) return control.checked
  if (control.value === '') return undefined
  if (schema.type === 'integer' || schema.type === 'number') return Number(control.value)
  if (schema.type === 'string' || schema.enum !== undefined) return control.value
  return readJson(name, control.value)
}

export class OptionsForm {
  readonly #fieldset: HTMLFieldSetElement
  #fields: readonly (readonly [string, Control, OptionSchema])[] = []

  constructor(fieldset: HTMLFieldSetElement) {
    this.#fieldset = fieldset
  }

  /** Replaces the fields. `schema` is of type object. */
  show(schema: object): void {
    const { properties = {} } = schema as { properties?: Readonly<Record<string, OptionSchema>> }
    this.#fields = Object.entries(properties).map(
      ([name, option]) => [name, controlFor(option), option] as const,
    )
    const rows = this.#fields.map(([name, control, { description = '' }]) => {
      control.id = `option-${name}`
      control.title = description
      const label = element('label', { for: control.id, title: description })
      label.textContent = name.replaceAll('_', ' ')
      return element('div', { class: 'field' }, label, control)
    })
    this.#fieldset.replaceChildren(element('legend', {}, 'Options'), ...rows)
    this.#fieldset.hidden = rows.length === 0
  }

  /** Puts values into the fields, as a run was made with. */
  fill(values: Readonly<Record<string, unknown>>): void {
    for (const [name, control, schema] of this.#fields) {
      const value = values[name]
      if (value === undefined) continue
      if (schema.type === 'boolean' && control instanceof HTMLInputElement) {
        control.checked = value === true
      } else {
        control.value = textOf(value)
      }
    }
  }

  /** What differs from the defaults. @throws SyntaxError naming the field whose JSON is none. */
  values(): Record<string, unknown> {
    const given = this.#fields
      .map(([name, control, schema]) => [name, valueOf(name, control, schema), schema] as const)
      .filter(
        ([, value, schema]) => value !== undefined && textOf(value) !== textOf(schema.default),
      )
    return Object.fromEntries(given.map(([name, value]) => [name, value]))
  }
}
