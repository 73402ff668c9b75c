/** Builds an ONNX model: nodes in order, weights outside the model's own bytes so that none is copied twice. */
import { ProtobufMessage } from './protobuf.ts'

/** Element types with ONNX's numbers for them. */
export const ELEMENT_TYPE = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
} as const
export type ElementType = keyof typeof ELEMENT_TYPE

/** A name stands for a size that is known only when the graph runs. */
export type Dimension = number | string
export type Attribute = number | string | readonly number[] | { readonly float: number }
/** Words of 16 bits are halves. */
export type Weights = Float32Array | Uint16Array | Int8Array | Uint8Array

export interface NodeOptions {
  readonly domain?: string
  readonly attributes?: Readonly<Record<string, Attribute>>
  /** Optional outputs to leave out, by position. */
  readonly omit?: readonly number[]
}

/** Operators of ONNX Runtime beside the standard. */
export const CONTRIB = 'com.microsoft'

export interface OnnxModel {
  readonly inputs: readonly string[]
  readonly bytes: Uint8Array
  /** One entry per weight; `path` is the name that the model refers to. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[]
}

const ATTRIBUTE_TYPE = { float: 1, integer: 2, text: 3, integers: 7 } as const
const OPERATOR_SET = 17
const IR_VERSION = 8
const EXTERNAL = 1

const encodeAttribute = (name: string, value: Attribute): ProtobufMessage => {
  const message = new ProtobufMessage().text(1, name)
  if (typeof value === 'number')
    return message.signedInteger(3, value).integer(20, ATTRIBUTE_TYPE.integer)
  if (typeof value === 'string') return message.text(4, value).integer(20, ATTRIBUTE_TYPE.text)
  if ('float' in value) return message.float(2, value.float).integer(20, ATTRIBUTE_TYPE.float)
  for (const item of value) message.signedInteger(8, item)
  return message.integer(20, ATTRIBUTE_TYPE.integers)
}

const encodeValue = (name: string, type: ElementType, dimensions: readonly Dimension[]) => {
  const shape = new ProtobufMessage()
  for (const dimension of dimensions)
    shape.message(
      1,
      typeof dimension === 'number'
        ? new ProtobufMessage().integer(1, dimension)
        : new ProtobufMessage().text(2, dimension),
    )
  const tensor = new ProtobufMessage().integer(1, ELEMENT_TYPE[type]).message(2, shape)
  return new ProtobufMessage().text(1, name).message(2, new ProtobufMessage().message(1, tensor))
}

const entry = (key: string, value: string): ProtobufMessage =>
  new ProtobufMessage().text(1, key).text(2, value)

const elementTypeOf = (data: Weights): ElementType => {
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Uint16Array) return 'float16'
  return data instanceof Int8Array ? 'int8' : 'uint8'
}

const tensor = (name: string, type: ElementType, dimensions: readonly number[]) => {
  const message = new ProtobufMessage()
  for (const dimension of dimensions) message.integer(1, dimension)
  return message.integer(2, ELEMENT_TYPE[type]).text(8, name)
}

interface GraphNode {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly options: NodeOptions
}

export class GraphBuilder {
  readonly #graph = new ProtobufMessage()
  readonly #externalData: { path: string; data: Uint8Array }[] = []
  readonly #inputs: string[] = []
  readonly #constants = new Map<string, string>()
  readonly #nodes: GraphNode[] = []
  /** Names of values that are outputs. */
  readonly #renamed = new Map<string, string>()
  #values = 0

  input(name: string, type: ElementType, dimensions: readonly Dimension[]): string {
    this.#inputs.push(name)
    this.#graph.message(11, encodeValue(name, type, dimensions))
    return name
  }

  /** Gives `value`, which a node computes, the name under which it can be fetched; once per value. */
  output(name: string, value: string, type: ElementType, dimensions: readonly Dimension[]): void {
    this.#renamed.set(value, name)
    this.#graph.message(12, encodeValue(name, type, dimensions))
  }

  /** A small constant inside the model; equal ones are stored once. */
  integers(values: readonly number[], dimensions: readonly number[] = [values.length]): string {
    return this.#constant('int64', dimensions, BigInt64Array.from(values, BigInt), values)
  }

  floats(values: readonly number[], dimensions: readonly number[] = [values.length]): string {
    return this.#constant('float32', dimensions, Float32Array.from(values), values)
  }

  /** A single unsigned byte. */
  byte(value: number): string {
    return this.#constant('uint8', [], Uint8Array.of(value), [value])
  }

  /** A weight outside the model. The builder keeps the array; it must not change afterwards. */
  weight(name: string, data: Weights, dimensions: readonly number[]): string {
    const location = entry('location', name)
    const length = entry('length', String(data.byteLength))
    const message = tensor(name, elementTypeOf(data), dimensions)
    message.message(13, location).message(13, entry('offset', '0')).message(13, length)
    this.#graph.message(5, message.integer(14, EXTERNAL))
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.#externalData.push({ path: name, data: bytes })
    return name
  }

  /** Adds a node with one output and returns the name of that output. */
  node(operator: string, inputs: readonly string[], options: NodeOptions = {}): string {
    return this.nodes(operator, inputs, 1, options)[0]!
  }

  cast(value: string, type: ElementType): string {
    return this.node('Cast', [value], { attributes: { to: ELEMENT_TYPE[type] } })
  }

  /** Adds a node with several outputs. */
  nodes(
    operator: string,
    inputs: readonly string[],
    outputs: number,
    options: NodeOptions = {},
  ): string[] {
    const names = Array.from({ length: outputs }, (_, position) =>
      options.omit?.includes(position) ? '' : `${operator}_${this.#values++}`,
    )
    this.#nodes.push({ operator, inputs, outputs: names, options })
    return names
  }

  /** The model; the builder is spent afterwards. */
  build(): OnnxModel {
    for (const node of this.#nodes) this.#graph.message(1, this.#encodeNode(node))
    const operatorSet = (domain: string, version: number): ProtobufMessage =>
      new ProtobufMessage().text(1, domain).integer(2, version)
    const model = new ProtobufMessage()
      .integer(1, IR_VERSION)
      .text(2, 'whetstone')
      .message(8, operatorSet('', OPERATOR_SET))
      .message(8, operatorSet(CONTRIB, 1))
      .message(7, this.#graph.text(2, 'decoder'))
    return { inputs: this.#inputs, bytes: model.encode(), externalData: this.#externalData }
  }

  #encodeNode({ operator, inputs, outputs, options }: GraphNode): ProtobufMessage {
    const { domain, attributes = {} } = options
    const node = new ProtobufMessage()
    for (const input of inputs) node.text(1, this.#renamed.get(input) ?? input)
    for (const output of outputs) node.text(2, this.#renamed.get(output) ?? output)
    node.text(3, `node_${outputs[0]}`).text(4, operator)
    for (const [name, value] of Object.entries(attributes))
      node.message(5, encodeAttribute(name, value))
    return domain === undefined ? node : node.text(7, domain)
  }

  #constant(
    type: ElementType,
    dimensions: readonly number[],
    data: BigInt64Array | Float32Array | Uint8Array,
    values: readonly number[],
  ): string {
    const key = `${type} ${dimensions.join()} ${values.join()}`
    const known = this.#constants.get(key)
    if (known !== undefined) return known
    const name = `constant_${this.#constants.size}`
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    this.#graph.message(5, tensor(name, type, dimensions).bytes(9, bytes))
    this.#constants.set(key, name)
    return name
  }
}
