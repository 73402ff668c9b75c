/** Tables of experiments. A phase is an experiment with a salt; everything counted belongs to one. */
export const EXPERIMENT_TABLES = `
  CREATE TABLE experiment_versions (
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    at TEXT NOT NULL,
    origin TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (key, version)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_phases (
    id INTEGER PRIMARY KEY,
    experiment TEXT NOT NULL,
    salt TEXT NOT NULL,
    UNIQUE (experiment, salt)
  );
  CREATE TABLE experiment_exposures (
    phase INTEGER NOT NULL,
    unit TEXT NOT NULL,
    arm TEXT NOT NULL,
    reason TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    propensity REAL NOT NULL,
    run_id TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (phase, unit)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_runs (
    run_id TEXT PRIMARY KEY,
    phase INTEGER NOT NULL,
    unit TEXT NOT NULL,
    arm TEXT NOT NULL,
    reason TEXT NOT NULL,
    settled INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX experiment_runs_unsettled ON experiment_runs (run_id) WHERE settled = 0;
  CREATE TABLE experiment_values (
    phase INTEGER NOT NULL,
    unit TEXT NOT NULL,
    name TEXT NOT NULL,
    run_id TEXT NOT NULL,
    value REAL NOT NULL,
    bucket INTEGER,
    PRIMARY KEY (phase, unit, name, run_id)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_units (
    phase INTEGER NOT NULL,
    unit TEXT NOT NULL,
    name TEXT NOT NULL,
    total REAL NOT NULL,
    runs INTEGER NOT NULL,
    PRIMARY KEY (phase, unit, name)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_arms (
    phase INTEGER NOT NULL,
    arm TEXT NOT NULL,
    exposures INTEGER NOT NULL,
    PRIMARY KEY (phase, arm)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_sums (
    phase INTEGER NOT NULL,
    arm TEXT NOT NULL,
    metric TEXT NOT NULL,
    runs INTEGER NOT NULL,
    units REAL NOT NULL,
    base REAL NOT NULL,
    total REAL NOT NULL,
    base_base REAL NOT NULL,
    total_total REAL NOT NULL,
    base_total REAL NOT NULL,
    covariate REAL NOT NULL,
    covariate_covariate REAL NOT NULL,
    covariate_total REAL NOT NULL,
    covariate_base REAL NOT NULL,
    PRIMARY KEY (phase, arm, metric)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_buckets (
    phase INTEGER NOT NULL,
    arm TEXT NOT NULL,
    metric TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    PRIMARY KEY (phase, arm, metric, bucket)
  ) WITHOUT ROWID;
  CREATE TABLE experiment_results (
    phase INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    body TEXT NOT NULL
  );
  CREATE TABLE experiment_course (
    phase INTEGER NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (phase, at)
  ) WITHOUT ROWID;`

/** Several may say something of one run, and since when it may be said is known. */
export const REPORTERS = `
  ALTER TABLE experiment_runs ADD COLUMN at TEXT;
  CREATE TABLE experiment_reports (
    phase INTEGER NOT NULL,
    unit TEXT NOT NULL,
    name TEXT NOT NULL,
    run_id TEXT NOT NULL,
    reporter TEXT NOT NULL,
    value REAL NOT NULL,
    bucket INTEGER,
    PRIMARY KEY (phase, unit, name, run_id, reporter)
  ) WITHOUT ROWID;
  INSERT INTO experiment_reports (phase, unit, name, run_id, reporter, value, bucket)
    SELECT phase, unit, name, run_id, '', value, bucket FROM experiment_values;
  DROP TABLE experiment_values;
  ALTER TABLE experiment_reports RENAME TO experiment_values;`

/** A duel is named by the run that was shown; it is open while it has no end. */
export const DUEL_TABLE = `
  CREATE TABLE experiment_duels (
    run_id TEXT PRIMARY KEY,
    phase INTEGER NOT NULL,
    unit TEXT NOT NULL,
    served TEXT NOT NULL,
    other TEXT NOT NULL,
    at TEXT NOT NULL,
    other_run_id TEXT,
    attempts INTEGER NOT NULL,
    ending TEXT,
    length_difference REAL NOT NULL,
    served_cost REAL NOT NULL,
    other_cost REAL NOT NULL,
    judge_cost REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX experiment_duels_open ON experiment_duels (run_id) WHERE ending IS NULL;
  CREATE INDEX experiment_duels_by_phase ON experiment_duels (phase, run_id);`
