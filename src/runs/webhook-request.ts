/** One try to deliver a message. */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { invalidField } from '../core/errors.ts'
import { isPublicAddress, publicLookup } from './public-address.ts'

/** Sends a body and resolves with the status; rejects when there is none. Redirects are not followed. */
export type PostWebhook = (
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
) => Promise<number>

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1')

const isLocal = (url: URL): boolean =>
  (isIP(hostOf(url)) !== 0 && !isPublicAddress(hostOf(url))) ||
  /^(?:.*\.)?localhost\.?$/i.test(url.hostname)

/**
 * The address, when messages may go there. What a name leads to is checked again when the connection is made.
 * @throws RefineError invalid_request
 */
export const checkWebhookUrl = (text: string, allowPrivate: boolean): URL => {
  // What is no sign of an address is left out or replaced when it is read, but kept as it came.
  const url = URL.canParse(text) && !/[\0-\x20\x7f]/.test(text) ? new URL(text) : undefined
  const protocols = allowPrivate ? ['https:', 'http:'] : ['https:']
  if (
    url === undefined ||
    !protocols.includes(url.protocol) ||
    url.username + url.password !== ''
  ) {
    throw invalidField('/webhook/url', 'must be an https address without a user name')
  }
  if (!allowPrivate && isLocal(url)) {
    throw invalidField('/webhook/url', 'must lead to a public address')
  }
  return url
}

export const postWebhook =
  (allowPrivate: boolean): PostWebhook =>
  async (address, headers, body, signal) => {
    const url = checkWebhookUrl(address, allowPrivate)
    const request = url.protocol === 'https:' ? requestHttps : requestHttp
    return new Promise((resolve, reject) => {
      const call = request(url, {
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        signal,
        agent: false, // a connection that was opened for someone else was not checked
        ...(allowPrivate ? {} : { lookup: publicLookup }),
      })
      call.on('error', reject)
      call.on('response', (response) => {
        resolve(response.statusCode ?? 0)
        response.destroy() // what it says beside its status is of no use, however long
      })
      call.end(body)
    })
  }
