/** Expected texts are those of jinja2 as transformers 5 sets it up. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { openCheckpoint } from '../../src/inference/checkpoint/checkpoint.ts'
import { readChatTemplate } from '../../src/inference/text/chat-template.ts'
import { FOLDER } from './model-fixture.ts'

const render = (template: string, content: string): string => {
  const checkpoint = {
    ...openCheckpoint(FOLDER),
    tokenizerConfig: () => ({ chat_template: template, bos_token: '<s>', eos_token: null }),
  }
  return readChatTemplate(checkpoint)([{ role: 'assistant', content }])
}

test('a strip takes off the characters that the template names, and no others', () => {
  const each = (call: string) => `{% for m in messages %}{{ m.content.${call} }}|{% endfor %}`
  assert.equal(render(each(`lstrip('\\n')`), '\n\n  x\n'), '  x\n|')
  assert.equal(render(each(`rstrip('\\n')`), '\n x \n\n'), '\n x |')
  assert.equal(
    render(each(`strip('\u{1f600}x')`), 'x\u{1f600}a\u{1f600}b\u{1f600}'),
    'a\u{1f600}b|',
  )
  assert.equal(render(each('strip()'), ' \n x\n'), 'x|')
  const reasoning = `{{ messages[0].content.split('</think>')[-1].lstrip('\\n') }}`
  assert.equal(render(reasoning, '<think>hm</think>\n\n  indented'), '  indented')
})

test('tools that are not given are none', () => {
  const template = '{% if tools is not none %}tools{% elif tools is defined %}none{% endif %}'
  assert.equal(render(template, ''), 'none')
})
