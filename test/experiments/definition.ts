/** A valid definition with changes. */
export const definition = (changes: object = {}): object => ({
  key: 'refine-or-not',
  arms: [
    { name: 'control', weight: 0.5, strategy: 'single' },
    { name: 'treatment', weight: 0.5, strategy: 'self-refine', options: { rounds: 2 } },
  ],
  metrics: [{ name: 'correct', type: 'boolean', direction: 'up', primary: true }],
  ...changes,
})
