/** Duels, open ones and those that have ended. */
import type {
  DuelOutcome,
  DuelPlan,
  DuelStore,
  DuelTally,
  OpenDuel,
  Phase,
} from '../core/experiment-store.ts'
import { insertRows, statement, type Database } from './database.ts'

const COSTS =
  'sum(served_cost) AS "servedCost", sum(other_cost) AS "otherCost", sum(judge_cost) AS "judgeCost"'

type Compared = Awaited<ReturnType<DuelStore['compared']>>[number]

export class Duels implements DuelStore {
  readonly #database: Database
  readonly #phaseOf: (phase: Phase) => Promise<number>

  constructor(database: Database, phaseOf: (phase: Phase) => Promise<number>) {
    this.#database = database
    this.#phaseOf = phaseOf
  }

  async open({ runId, unit, served, other, at, ...phase }: DuelPlan): Promise<void> {
    const row = {
      run_id: runId,
      phase: await this.#phaseOf(phase),
      unit,
      served,
      other,
      at,
      attempts: 0,
      length_difference: 0,
      served_cost: 0,
      other_cost: 0,
      judge_cost: 0,
    }
    const [columns, values] = [Object.keys(row), Object.values(row)]
    await this.#database.write(insertRows('experiment_duels', columns, [values], 'DO NOTHING'))
  }

  listOpen(limit: number): Promise<OpenDuel[]> {
    return this.#database.all<OpenDuel>(
      `SELECT d.run_id AS "runId", p.experiment, p.salt, d.unit, d.served, d.other, d.at,
         d.other_run_id AS "otherRunId", d.attempts, d.other_cost + d.judge_cost AS spent
       FROM experiment_duels d JOIN experiment_phases p ON p.id = d.phase
       WHERE d.ending IS NULL ORDER BY d.run_id LIMIT ?`,
      limit,
    )
  }

  async attempt(runId: string, otherRunId: string): Promise<void> {
    const sql = `UPDATE experiment_duels SET other_run_id = ?, attempts = attempts + 1 WHERE run_id = ?`
    await this.#database.write([statement(sql, otherRunId, runId)])
  }

  async giveUp(runId: string, otherCost: number, judgeCost: number): Promise<void> {
    const sql = `UPDATE experiment_duels SET other_run_id = NULL, other_cost = other_cost + ?,
       judge_cost = judge_cost + ? WHERE run_id = ? AND ending IS NULL`
    await this.#database.write([statement(sql, otherCost, judgeCost, runId)])
  }

  async close(runId: string, outcome: DuelOutcome): Promise<void> {
    const { end, lengthDifference, servedCost, otherCost, judgeCost } = outcome
    const sql = `UPDATE experiment_duels SET ending = ?, length_difference = ?, served_cost = ?, other_cost = other_cost + ?,
       judge_cost = judge_cost + ? WHERE run_id = ? AND ending IS NULL`
    await this.#database.write([
      statement(sql, end, lengthDifference, servedCost, otherCost, judgeCost, runId),
    ])
  }

  async tallies(phase: Phase): Promise<DuelTally[]> {
    return this.#database.all<DuelTally>(
      `SELECT served, other, ending AS "end", count(*) AS duels, ${COSTS}
       FROM experiment_duels WHERE phase = ? AND ending IS NOT NULL
       GROUP BY served, other, ending ORDER BY served, other, ending`,
      await this.#phaseOf(phase),
    )
  }

  async compared(phase: Phase, limit: number): Promise<Compared[]> {
    return this.#database.all<Compared>(
      `SELECT served, other, ending AS "end", length_difference AS "lengthDifference"
       FROM experiment_duels WHERE phase = ? AND ending IN ('a', 'b', 'first', 'second', 'tie')
       ORDER BY run_id DESC LIMIT ?`,
      await this.#phaseOf(phase),
      limit,
    )
  }
}
