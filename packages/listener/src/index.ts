export type { CycleReport, Trigger } from './cycle.js'
export { Listener } from './listener.js'
export type { ListenerOptions } from './listener-options.js'
export { isSchedule } from './schedule.js'
