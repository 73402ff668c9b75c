/** `whetstone/client`. */
export type { StreamOptions } from './attached-run.ts'
export { Client, createClient, type ClientOptions } from './client.ts'
export type { CallOptions, FeedbackOptions } from './connection.ts'
export type { FollowOptions } from './event-stream.ts'
export { collectRun, foldRun, reduceRun } from './fold.ts'
export type { RetryOptions } from './retry.ts'
export type { CreateOptions, ListOptions, Runs } from './runs.ts'
export type { RunSocket } from './socket.ts'
export type { WebSocketConstructor, WebSocketLike } from './socket-link.ts'
export { WhetstoneError } from './whetstone-error.ts'
export { isTerminal } from './wire.ts'
export type {
  Answer,
  Assignment,
  Budget,
  Candidate,
  Estimate,
  Feedback,
  FeedbackInput,
  FieldProblem,
  List,
  Message,
  ModelEntry,
  Revision,
  Role,
  RunEvent,
  RunRequest,
  RunState,
  RunStatus,
  Sampling,
  Steering,
  StopReason,
  StrategyDescription,
  TerminalEvent,
  TotalCost,
  Usage,
} from './wire.ts'
