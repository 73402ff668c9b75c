/** Checks messages of a socket by the contract in the repository alone, as a client that was generated from it would. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { Compile } from 'typebox/compile'
import { WebSocket } from 'ws'
import { parse } from 'yaml'

interface Reference {
  readonly $ref: string
}

interface Contract {
  readonly channels: Record<
    string,
    { readonly address: string; readonly messages: Record<string, Reference> }
  >
  readonly operations: Record<string, { readonly messages: readonly Reference[] }>
  readonly components: {
    readonly messages: Record<string, { readonly payload: object }>
    readonly schemas: Record<string, object>
  }
}

export type Message = Record<string, unknown>
type Way = 'hear' | 'say'

const root = path.resolve(import.meta.dirname, '../../..')
export const contractText = readFileSync(path.join(root, 'openapi', 'asyncapi.yaml'), 'utf8')

const lastOf = ({ $ref }: Reference): string => $ref.split('/').at(-1)!

export const byContract = (channel: 'socket' | 'responses') => {
  const { channels, components, operations } = parse(contractText) as Contract
  const local = (schema: object): object =>
    JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/')) as object
  const { address, messages } = channels[channel]!
  const typesOf = (way: Way): string[] => operations[`${channel}.${way}`]!.messages.map(lastOf)
  const check = (way: Way, message: Message): void => {
    const type = String(message['type'])
    assert.ok(typesOf(way).includes(type), `${type} is not in the contract`)
    const { payload } = components.messages[lastOf(messages[type]!)]!
    const schema = { ...local(payload), $defs: local(components.schemas) }
    const errors = Compile(schema).Errors(message)
    assert.deepEqual(errors, [], `${JSON.stringify(message)}: ${JSON.stringify(errors)}`)
  }
  return { address, check, typesOf }
}

/** A conversation over any number of sockets, every message of which is checked; a type once heard or said is kept. */
export const converse = (t: TestContext, channel: 'socket' | 'responses') => {
  const { address, check, typesOf } = byContract(channel)
  const heard: Message[] = []
  const said = new Set<string>()
  let wake = (): void => undefined
  const open = async (url: string) => {
    const socket = new WebSocket(url.replace('http', 'ws') + address, 'whetstone.v1')
    t.after(() => socket.terminate())
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString()) as Message
      check('say', message)
      heard.push(message)
      wake()
    })
    await once(socket, 'open')
    return (message: Message): void => {
      check('hear', message)
      said.add(String(message['type']))
      socket.send(JSON.stringify(message))
    }
  }
  const until = async (isSought: (message: Message) => boolean): Promise<Message> => {
    for (;;) {
      const found = heard.find(isSought)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const heardTypes = (): string[] => [...new Set(heard.map(({ type }) => String(type)))]
  return { check, typesOf, open, until, said, heardTypes }
}
