/** Chat templates in the ways of the families, as short as they can be, and checkpoints that have them. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { Template } from '@huggingface/jinja'
import type { ChatTemplate } from '../../../src/inference/text/chat-template.ts'
import { MODELS, writeCheckpoint } from '../../inference/checkpoint-fixture.ts'

const CHATML = `{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' + message.content }}`
const CHATML_END = `
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}`

/** Knows nothing of tools. */
const PLAIN = CHATML + CHATML_END

const QWEN = `{%- if tools %}
{{- '<|im_start|>system\nTools:' }}
{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}
{{- '\nCall one by <tool_call>\n{"name": <name>, "arguments": <object>}\n</tool_call><|im_end|>\n' }}
{%- endif %}
${CHATML}
{%- for call in message.tool_calls or [] %}
{{- '\n<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) + '}\n</tool_call>' }}
{%- endfor %}${CHATML_END}`

/** Refuses ids that are not nine characters long, and roles that do not alternate. */
const MISTRAL = `{{- bos_token }}
{%- for message in messages %}
{%- if message.role == 'user' %}
  {%- if tools is defined and loop.last %}{{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}
  {{- '[INST] ' + message.content + '[/INST]' }}
{%- elif message.tool_calls is defined %}
  {{- '[TOOL_CALLS] [' }}
  {%- for call in message.tool_calls %}
    {%- if call.id | length != 9 %}{{- raise_exception('ids have 9 characters') }}{%- endif %}
    {{- (call.function | tojson)[:-1] + ', "id": "' + call.id + '"}' }}
    {%- if not loop.last %}{{- ', ' }}{%- endif %}
  {%- endfor %}
  {{- ']' + eos_token }}
{%- elif message.role == 'tool' %}
  {%- if message.tool_call_id | length != 9 %}{{- raise_exception('ids have 9 characters') }}{%- endif %}
  {{- '[TOOL_RESULTS] {"content": ' + (message.content | tojson) + ', "call_id": "' + message.tool_call_id + '"}[/TOOL_RESULTS]' }}
{%- else %}
  {{- ' ' + message.content + eos_token }}
{%- endif %}
{%- endfor %}`

/** Refuses several calls in one message. */
const LLAMA = `{{- bos_token }}
{%- for message in messages %}
{%- if message.tool_calls is defined %}
  {%- if message.tool_calls | length != 1 %}{{- raise_exception('one call at a time') }}{%- endif %}
  {%- set call = message.tool_calls[0].function %}
  {{- '<|head|>assistant<|/head|>\n\n{"name": "' + call.name + '", "parameters": ' + (call.arguments | tojson) + '}<|eot|>' }}
{%- elif message.role == 'tool' %}
  {{- '<|head|>ipython<|/head|>\n\n' + message.content + '<|eot|>' }}
{%- else %}
  {{- '<|head|>' + message.role + '<|/head|>\n\n' }}
  {%- if tools and message.role == 'user' and loop.index0 < 2 %}
    {%- for tool in tools %}{{- (tool | tojson(indent=4)) + '\n\n' }}{%- endfor %}
  {%- endif %}
  {{- message.content + '<|eot|>' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|head|>assistant<|/head|>\n\n' }}{%- endif %}`

export const TEMPLATES = { plain: PLAIN, qwen: QWEN, mistral: MISTRAL, llama: LLAMA } as const
export type Family = keyof typeof TEMPLATES

export const templateOf =
  (family: Family): ChatTemplate =>
  (messages, { prompted = true, tools } = {}) =>
    new Template(TEMPLATES[family]).render({
      messages,
      add_generation_prompt: prompted,
      bos_token: '<s>',
      eos_token: '</s>',
      ...(tools && { tools }),
    })

/** What each family's tokenizer holds to be one token, and whether it is special. */
const TOKENS: Readonly<Record<Family, readonly (readonly [text: string, special: boolean])[]>> = {
  plain: [],
  qwen: [
    ['<tool_call>', false],
    ['</tool_call>', false],
  ],
  mistral: [['[TOOL_CALLS]', true]],
  llama: [['<|python_tag|>', true]],
}

/** A tiny model with random weights and room for prompts, with the family's template and tokens. */
export const writeFamily = (family: Family): string => {
  const model = MODELS.language.find(({ name }) => name === 'qwen2')!
  const known = Number(model.config['vocab_size'])
  const size = known + TOKENS[family].length
  const grown = Object.entries(model.tensors).map(([name, shape]) => [
    name,
    shape[0] === known ? [size, ...shape.slice(1)] : shape,
  ])
  const folder = writeCheckpoint({
    ...model,
    config: { ...model.config, vocab_size: size, max_position_embeddings: 4096 },
    tensors: Object.fromEntries(grown) as typeof model.tensors,
  })
  const change = (name: string, changes: (file: Record<string, unknown>) => object): void => {
    const file = path.join(folder, name)
    const contents = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
    writeFileSync(file, JSON.stringify({ ...contents, ...changes(contents) }))
  }
  change('tokenizer.json', ({ added_tokens: added }) => ({
    added_tokens: [
      ...(added as object[]),
      ...TOKENS[family].map(([content, special], index) => ({
        id: known + index,
        content,
        special,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
      })),
    ],
  }))
  change('tokenizer_config.json', () => ({ chat_template: TEMPLATES[family] }))
  return folder
}
