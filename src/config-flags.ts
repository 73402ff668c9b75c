/** Flags of `whetstone serve`; each is also an environment variable `WHETSTONE_…`, upper case with underscores. */
export const SERVE_FLAGS = [
  {
    name: 'port',
    value: 'NUMBER',
    description: 'Port to listen on; 0 takes a free one. Default 8080.',
  },
  {
    name: 'host',
    value: 'ADDRESS',
    description: 'Address to listen on. Default 127.0.0.1; any other needs API keys.',
  },
  { name: 'data', value: 'FOLDER', description: 'Folder of the SQLite database. Default ./data.' },
  {
    name: 'database',
    value: 'URL',
    description:
      'postgres://… in place of SQLite; better as the variable WHETSTONE_DATABASE, for its password. Default sqlite.',
  },
  {
    name: 'config',
    value: 'FILE',
    description: 'Configuration file. Default whetstone.yaml, where there is one.',
  },
  {
    name: 'model',
    value: 'ID',
    description:
      'Model of runs that name none. Default: the first of the configuration, else of the catalogue.',
  },
  {
    name: 'models-dir',
    value: 'FOLDER',
    description: 'Folder of installed models. Default: whetstone/models in the cache of the user.',
  },
  {
    name: 'device',
    value: 'NAME',
    description:
      'What embedded models compute on: auto, cpu, cuda, webgpu, coreml or directml. Default auto.',
  },
  {
    name: 'strategy',
    value: 'NAME',
    description: 'Strategy of runs that name none. Default solver-reviewer-refiner.',
  },
  {
    name: 'api-key-env',
    value: 'NAME',
    description: 'Environment variable with an API key that callers must send.',
  },
  {
    name: 'api-key-file',
    value: 'FILE',
    description: 'File whose first line is an API key that callers must send.',
  },
  {
    name: 'no-api-keys',
    description: 'Say openly that anyone who reaches the address may use the server.',
  },
  {
    name: 'cors-origin',
    value: 'ORIGINS',
    description:
      'Origins of web pages that may call the server, separated by commas, such as https://app.example; * for any. Default: only its own.',
  },
  {
    name: 'log-level',
    value: 'LEVEL',
    description: 'trace, debug, info, warn, error or silent. Default info.',
  },
  { name: 'log-prompts', description: 'Log the text of prompts and answers.' },
] as const

export type FlagName = (typeof SERVE_FLAGS)[number]['name']

/** Values of flags by name, without the dashes; a switch is `'true'`. */
export type Flags = Readonly<Record<string, string | undefined>>
