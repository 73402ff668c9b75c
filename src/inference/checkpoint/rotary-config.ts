/** What a configuration says about rotary position embeddings: base, scaling, and how far both hold. */
import { Type, type Static } from 'typebox'

/** How the frequencies differ from those of the original paper. Lengths count tokens. */
export type RotaryScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFactor: number
      readonly highFactor: number
      readonly originalContext: number
    }
  | {
      readonly type: 'yarn'
      readonly factor: number
      readonly betaFast: number
      readonly betaSlow: number
      readonly originalContext: number
      /** Multiplies cosines and sines. */
      readonly magnitude: number
      /** Whether the borders of the ramp are whole numbers. */
      readonly truncate: boolean
    }
  /** Divisors, one per frequency, as GGUF files hold them. */
  | { readonly type: 'divisors'; readonly divisors: readonly number[] }

export interface Rotary {
  readonly theta: number
  readonly scaling: RotaryScaling
}

const Positive = Type.Number({ exclusiveMinimum: 0 })
const Maybe = Type.Optional(Type.Union([Positive, Type.Null()]))

/** `rope_scaling`, or `rope_parameters` of newer checkpoints. */
export const RotaryParameters = Type.Object({
  rope_type: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
  rope_theta: Maybe,
  factor: Maybe,
  low_freq_factor: Maybe,
  high_freq_factor: Maybe,
  original_max_position_embeddings: Maybe,
  beta_fast: Maybe,
  beta_slow: Maybe,
  attention_factor: Maybe,
  mscale: Maybe,
  mscale_all_dim: Maybe,
  truncate: Type.Optional(Type.Boolean()),
  partial_rotary_factor: Maybe,
  divisors: Type.Optional(Type.Array(Positive)),
})
export type RotaryParameters = Static<typeof RotaryParameters>

/** Refuses a value, naming the field and what it must be. */
export type Refuse = (field: string, expected: string) => never

const DEFAULT_THETA = 10_000

/** As YaRN's `mscale` (Peng et al. 2023, arXiv:2309.00071, section 3.4). */
const magnitudeOf = (factor: number, weight = 1): number =>
  factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1

const yarn = (
  parameters: RotaryParameters,
  context: number,
  needed: (field: 'factor') => number,
): RotaryScaling => {
  const original = parameters.original_max_position_embeddings
  const originalContext = original ?? context
  const factor = parameters.factor ?? (original ? context / original : needed('factor'))
  const { mscale, mscale_all_dim: everywhere } = parameters
  const magnitude =
    mscale && everywhere
      ? magnitudeOf(factor, mscale) / magnitudeOf(factor, everywhere)
      : magnitudeOf(factor)
  return {
    type: 'yarn',
    factor,
    betaFast: parameters.beta_fast ?? 32,
    betaSlow: parameters.beta_slow ?? 1,
    originalContext,
    magnitude: parameters.attention_factor ?? magnitude,
    truncate: parameters.truncate ?? true,
  }
}

const scalingOf = (
  parameters: RotaryParameters,
  context: number,
  refuse: Refuse,
): RotaryScaling => {
  const needed = (field: keyof RotaryParameters): number =>
    (parameters[field] as number | null | undefined) ?? refuse(`rope_scaling.${field}`, 'given')
  const type = parameters.rope_type ?? parameters.type ?? 'default'
  switch (type) {
    case 'default':
    // Changes nothing within the context that the configuration states, and that is as far as we go.
    case 'dynamic':
      return { type: 'none' }
    case 'linear':
      return { type: 'linear', factor: needed('factor') }
    case 'llama3':
      return {
        type: 'llama3',
        factor: needed('factor'),
        lowFactor: needed('low_freq_factor'),
        highFactor: needed('high_freq_factor'),
        originalContext: parameters.original_max_position_embeddings ?? context,
      }
    case 'yarn':
      return yarn(parameters, context, needed)
    case 'divisors':
      return { type, divisors: parameters.divisors ?? [] }
    default:
      return refuse('rope_scaling.rope_type', 'default, linear, dynamic, llama3 or yarn')
  }
}

/** What a configuration says of it in its different places. */
export interface RotaryFields {
  readonly rope_theta?: number
  readonly rope_scaling?: RotaryParameters | null
  readonly rope_parameters?: RotaryParameters | null
  readonly partial_rotary_factor?: number | null
  readonly original_max_position_embeddings?: number | null
  readonly max_position_embeddings: number
}

const isSet = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Which place counts where several say something is as transformers has it. */
export const readRotary = (fields: RotaryFields, refuse: Refuse): Rotary => {
  const { rope_scaling: scaling, rope_parameters: given, max_position_embeddings: context } = fields
  const chosen = (scaling && Object.keys(scaling).length > 0 ? scaling : given) ?? {}
  if (Object.values(chosen).some(isSet)) refuse('rope_parameters', 'one set for all layers')
  if ((chosen.partial_rotary_factor ?? fields.partial_rotary_factor ?? 1) !== 1)
    refuse('partial_rotary_factor', '1')
  const original = fields.original_max_position_embeddings
  const parameters = original ? { ...chosen, original_max_position_embeddings: original } : chosen
  return {
    theta: chosen.rope_theta ?? fields.rope_theta ?? DEFAULT_THETA,
    scaling: scalingOf(parameters, context, refuse),
  }
}
