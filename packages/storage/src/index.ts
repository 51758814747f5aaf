export { type Checkpoint, type CheckpointStore, type Claim, NEW_CHECKPOINT, type Saved } from './checkpoint-store.js'
export { Environment, type EnvironmentOptions, type Table } from './environment.js'
export { LmdbCheckpointStore } from './lmdb-checkpoint-store.js'
export type { Room } from './room.js'
