/** Duels in the report: pairs, and all arms on one scale. */
import { figure } from '../figure.ts'
import type { DuelResult, DuelResults, ExperimentResults } from '../results-schema.ts'
import { escapeText, range, row } from './markup.ts'

const HEAD = [
  'Arm against arm',
  'Prompts',
  'Won – lost – open',
  'Win rate',
  'At all looks',
  'p, always valid',
  'Equally long',
  'Flipped',
  'Cost of each',
  'Cost of a verdict',
]

const cellsOf = (pair: DuelResult): string[] => [
  `${escapeText(pair.arm)} against ${escapeText(pair.against)}`,
  String(pair.prompts),
  `${pair.wins} – ${pair.losses} – ${pair.prompts - pair.wins - pair.losses}`,
  figure(pair.win_rate),
  range(pair.interval_anytime),
  figure(pair.p_anytime),
  figure(pair.length_controlled?.win_rate),
  figure(pair.flip_rate),
  `${figure(pair.cost.arm)} against ${figure(pair.cost.against)}`,
  figure(pair.cost.judge),
]

const strengthTable = ({ strengths }: DuelResults): string => {
  if (strengths === null) return ''
  const rows = strengths
    .toSorted((left, right) => right.strength - left.strength)
    .map(({ arm, strength, elo, win_rate }) =>
      row([escapeText(arm), figure(strength), figure(elo), figure(win_rate)]),
    )
  return `<table>${row(['Arm', 'Strength', 'Elo above the first arm', 'Wins against it'], 'th')}${rows.join('')}</table>`
}

const missing = ({ pairs }: DuelResults): string => {
  const sum = (of: 'failed' | 'skipped'): number =>
    pairs.reduce((total, pair) => total + pair[of], 0)
  return `${sum('failed')} without an answer or verdict, ${sum('skipped')} left out for want of budget.`
}

export const duelTables = ({ duels }: ExperimentResults): string => {
  if (!duels) return ''
  const judge = `judged by ${escapeText(duels.judge)}, blind and in both orders`
  const rows = duels.pairs.map((pair) => row(cellsOf(pair)))
  return `<section><h2>Duels <span class="soft">(${judge})</span></h2>
<div class="wide"><table>${row(HEAD, 'th')}${rows.join('')}</table></div>${strengthTable(duels)}
<p class="soft">${missing(duels)} Answers nobody saw and verdicts took ${figure(duels.spent)}.</p></section>`
}
