/** Writes the protocol-buffer wire format: just the parts that ONNX needs. */

const VARINT = 0
const LENGTH_DELIMITED = 2
const FIXED_32 = 5
const utf8 = new TextEncoder()

/** One message under construction. Field numbers are those of the message's definition. */
export class ProtobufMessage {
  readonly #parts: Uint8Array[] = []
  #length = 0

  /** Integers must be safe and not negative, which is all that model files hold. */
  integer(field: number, value: number): this {
    this.#varint(field * 8 + VARINT)
    this.#varint(value)
    return this
  }

  /** Attribute integers may be negative: two's complement in 64 bits. */
  signedInteger(field: number, value: number): this {
    this.#varint(field * 8 + VARINT)
    const bytes: number[] = []
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      if (rest < 0x80n) {
        bytes.push(Number(rest))
        break
      }
      bytes.push(Number(rest & 0x7fn) | 0x80)
    }
    return this.#append(Uint8Array.from(bytes))
  }

  float(field: number, value: number): this {
    this.#varint(field * 8 + FIXED_32)
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    return this.#append(bytes)
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + LENGTH_DELIMITED)
    this.#varint(value.byteLength)
    return this.#append(value)
  }

  text(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value))
  }

  message(field: number, value: ProtobufMessage): this {
    return this.bytes(field, value.encode())
  }

  encode(): Uint8Array {
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const part of this.#parts) {
      all.set(part, at)
      at += part.byteLength
    }
    return all
  }

  #varint(value: number): void {
    const bytes: number[] = []
    let rest = value
    while (rest >= 0x80) {
      bytes.push((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    bytes.push(rest)
    this.#append(Uint8Array.from(bytes))
  }

  #append(part: Uint8Array): this {
    this.#parts.push(part)
    this.#length += part.byteLength
    return this
  }
}
