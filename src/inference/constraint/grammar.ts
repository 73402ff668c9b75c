/** What the engine can hold a text to: the constraints of the port, and texts that are put together of several. */
import type { Constraint } from '../../core/language-model.ts'

export type Grammar =
  | Constraint
  | { readonly type: 'text'; readonly text: string }
  /** JSON that the schema accepts. */
  | {
      readonly type: 'json'
      readonly schema: Readonly<Record<string, unknown>>
      /** Where in the request the schema comes from: a JSON pointer. */
      readonly pointer: string
      /** Whether a schema that cannot be held to may be any JSON object instead. */
      readonly loose: boolean
    }
  | { readonly type: 'sequence'; readonly parts: readonly Grammar[] }
  | { readonly type: 'one_of'; readonly options: readonly Grammar[] }
  /** One or more of an item, with a text between them. */
  | { readonly type: 'list'; readonly item: Grammar; readonly between: string }

/** A text from which on a sample is held to its grammar, itself included; what comes before it is free. */
export interface Opening {
  readonly text: string
  /** Counts only where nothing but white space stands before it. */
  readonly atStart: boolean
}
