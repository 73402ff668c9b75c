/** The schema, step by step, in words that SQLite knows and `inPostgres` translates. */
import { DUEL_TABLE, EXPERIMENT_TABLES, REPORTERS } from './experiment-tables.ts'

/** Forward steps; the index of a step is the version it starts from. A step that was released is never changed. */
export const STEPS: readonly string[] = [
  `CREATE TABLE runs (
     id TEXT PRIMARY KEY,
     owner TEXT NOT NULL,
     status TEXT NOT NULL,
     strategy TEXT NOT NULL,
     model TEXT NOT NULL,
     options TEXT NOT NULL,
     created_at TEXT NOT NULL,
     state TEXT NOT NULL,
     request TEXT NOT NULL,
     finished INTEGER NOT NULL,
     calls INTEGER, input_tokens INTEGER, output_tokens INTEGER, cost REAL
   ) WITHOUT ROWID;
   CREATE INDEX runs_by_owner ON runs (owner, id);
   CREATE INDEX runs_by_kind ON runs (strategy, model, options, status);
   CREATE INDEX runs_unfinished ON runs (id) WHERE finished = 0;
   CREATE TABLE events (
     run_id TEXT NOT NULL,
     sequence INTEGER NOT NULL,
     body TEXT NOT NULL,
     PRIMARY KEY (run_id, sequence)
   ) WITHOUT ROWID;
   CREATE TABLE feedback (
     id TEXT PRIMARY KEY,
     run_id TEXT NOT NULL,
     at TEXT NOT NULL,
     body TEXT NOT NULL
   );
   CREATE INDEX feedback_by_run ON feedback (run_id);`,
  `CREATE TABLE request_keys (
     owner TEXT NOT NULL,
     route TEXT NOT NULL,
     key TEXT NOT NULL,
     fingerprint TEXT NOT NULL,
     run_id TEXT NOT NULL,
     expires INTEGER NOT NULL,
     PRIMARY KEY (owner, route, key)
   ) WITHOUT ROWID;
   CREATE INDEX request_keys_by_run ON request_keys (run_id);
   CREATE INDEX request_keys_by_expiry ON request_keys (expires);
   CREATE TABLE deliveries (
     id TEXT PRIMARY KEY,
     run_id TEXT NOT NULL,
     owner TEXT NOT NULL,
     url TEXT NOT NULL,
     body TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     due INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX deliveries_by_due ON deliveries (due);
   CREATE INDEX deliveries_by_run ON deliveries (run_id);
   CREATE TABLE disabled_endpoints (
     owner TEXT NOT NULL,
     url TEXT NOT NULL,
     PRIMARY KEY (owner, url)
   ) WITHOUT ROWID;`,
  EXPERIMENT_TABLES,
  `CREATE INDEX feedback_by_time ON feedback (at);`,
  DUEL_TABLE,
  REPORTERS,
  `ALTER TABLE deliveries ADD COLUMN trace TEXT;`,
]
