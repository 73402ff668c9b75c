/** The OpenAPI document as one page of plain HTML: no script, no font and no style sheet from anywhere. */

export interface OpenApiOperation {
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly description?: string
    readonly schema?: unknown
  }[]
  readonly requestBody?: {
    readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>
  }
  readonly responses?: Readonly<
    Record<
      string,
      {
        readonly description?: string
        readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>
      }
    >
  >
}

export interface OpenApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign]!)

/** Prose: `code` between back-ticks is all the markup our descriptions use. */
const prose = (text = ''): string =>
  text === '' ? '' : `<p>${escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')}</p>`

const REFERENCE = /&quot;#\/components\/schemas\/([A-Za-z0-9_]+)&quot;/g

const schemaBlock = (schema: unknown): string =>
  `<pre>${escape(JSON.stringify(schema, null, 2)).replaceAll(
    REFERENCE,
    '<a href="#schema-$1">&quot;$1&quot;</a>',
  )}</pre>`

const EXAMPLES: Readonly<Record<string, object>> = {
  createRun: { input: 'What is 17 × 23?', strategy: 'best-of-n', options: { n: 4 }, seed: 7 },
  estimateRun: { input: 'What is 17 × 23?', strategy: 'best-of-n', options: { n: 4 } },
  createFeedback: { metric: 'correct', value: true, source: 'user' },
  createChatCompletion: {
    model: 'pebble:best-of-n',
    messages: [{ role: 'user', content: 'What is 17 × 23?' }],
    stream: true,
  },
}

const curl = (
  method: string,
  path: string,
  operation: OpenApiOperation,
  origin: string,
): string => {
  const url = origin + path.replaceAll(/\{(\w+)\}/g, '$$$1')
  if (operation.requestBody === undefined) {
    return method === 'get' ? `curl -N "${url}"` : `curl -X ${method.toUpperCase()} "${url}"`
  }
  const example = JSON.stringify(EXAMPLES[operation.operationId ?? ''] ?? {}, null, 2)
  return `curl -N "${url}" \\\n  -H 'content-type: application/json' \\\n  -d '${example}'`
}

const parameterRows = ({ parameters = [] }: OpenApiOperation): string =>
  parameters.length === 0
    ? ''
    : `<table>${parameters
        .map(
          ({ name, in: place, required, description, schema }) =>
            `<tr><th><code>${escape(name)}</code></th><td>${escape(place)}${required === true ? ', required' : ''}` +
            `</td><td>${prose(description)}<code>${escape(JSON.stringify(schema))}</code></td></tr>`,
        )
        .join('')}</table>`

const contentBlocks = (content: OpenApiOperation['requestBody']): string =>
  Object.entries(content?.content ?? {})
    .map(([type, { schema }]) => `<h5>${escape(type)}</h5>${schemaBlock(schema)}`)
    .join('')

const responseBlocks = ({ responses = {} }: OpenApiOperation): string =>
  Object.entries(responses)
    .map(
      ([status, response]) =>
        `<h4>${escape(status)}</h4>${prose(response.description)}${contentBlocks(
          response.content === undefined ? {} : { content: response.content },
        )}`,
    )
    .join('')

const operationSection = (
  path: string,
  method: string,
  operation: OpenApiOperation,
  origin: string,
): string => `<details id="${escape(operation.operationId ?? '')}">
<summary><b class="${method}">${method.toUpperCase()}</b> <code>${escape(path)}</code> ${escape(operation.summary ?? '')}</summary>
${prose(operation.description)}<pre class="try">${escape(curl(method, path, operation, origin))}</pre>
${parameterRows(operation)}${
  operation.requestBody === undefined ? '' : `<h4>Body</h4>${contentBlocks(operation.requestBody)}`
}${responseBlocks(operation)}</details>`

const operationsByTag = ({ paths }: OpenApiDocument, origin: string): Map<string, string[]> => {
  const sections = new Map<string, string[]>()
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'other'
      const section = operationSection(path, method, operation, origin)
      sections.set(tag, [...(sections.get(tag) ?? []), section])
    }
  }
  return sections
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2024;background:#fff}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{background:#f4f5f7;padding:.75rem;overflow:auto;border-radius:6px;max-height:32rem}
pre.try{background:#1c2530;color:#e6edf3}details{border:1px solid #d8dce2;border-radius:6px;margin:.5rem 0;padding:.5rem .75rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:3.5rem}b.get{color:#0b6e4f}b.post{color:#1f4fbf}b.put,b.patch{color:#8a5a00}b.delete{color:#b3261e}
table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}h2{text-transform:capitalize;margin-top:2rem}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#12161b}pre{background:#1c2530}details{border-color:#39424d}b.get{color:#5ad1a0}b.post{color:#8ab4ff}a{color:#8ab4ff}}`

/** Renders the page; `origin` goes into the commands to try. */
export const renderDocs = (document: OpenApiDocument, origin: string): string => {
  const { info, components } = document
  const sections = [...operationsByTag(document, origin)]
    .map(([tag, operations]) => `<h2>${escape(tag)}</h2>${operations.join('')}`)
    .join('')
  const schemas = Object.entries(components?.schemas ?? {})
    .map(
      ([name, schema]) =>
        `<details id="schema-${escape(name)}"><summary><code>${escape(name)}</code></summary>${schemaBlock(schema)}</details>`,
    )
    .join('')
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(info.title)} API</title><style>${STYLE}</style></head><body>
<h1>${escape(info.title)} ${escape(info.version)}</h1>${prose(info.description)}
<p>The whole contract as data: <a href="/openapi.json">openapi.json</a></p>
${sections}<h2>Schemas</h2>${schemas}</body></html>`
}
