// Writes the contract of the socket, from the compiled schemas.
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { stringify } from 'yaml'

const root = path.resolve(import.meta.dirname, '..')
const { asyncapiDocument } = await import(path.join(root, 'dist', 'src', 'http', 'asyncapi.js'))
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
const text = stringify(asyncapiDocument(version), { aliasDuplicateObjects: false, lineWidth: 120 })
writeFileSync(path.join(root, 'openapi', 'asyncapi.yaml'), text)
