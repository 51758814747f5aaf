import { TargetServer } from './target-server.js'

/** A call that a schedule made. */
export interface Firing {
  /** The invocation. */
  readonly id: string
  readonly scheduleId: string
  /** The time that it is for, in milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly attempt: number
}

/** A target that remembers which schedule and which time each call is for. */
export class ScheduleTarget {
  readonly firings: Firing[] = []
  readonly server: TargetServer

  static async start(): Promise<ScheduleTarget> {
    const target = new ScheduleTarget(await TargetServer.start())
    target.server.script = ({ attempt, id }, { headers }) => {
      const scheduleId = String(headers['posthaste-schedule-id'])
      target.firings.push({ id, scheduleId, timeMs: Date.parse(String(headers['posthaste-schedule-time'])), attempt })
      return {}
    }
    return target
  }

  private constructor(server: TargetServer) {
    this.server = server
  }

  get url(): string {
    return `${this.server.url}/`
  }

  /** The times for which a schedule has called, in the order in which that came. */
  timesOf(scheduleId: string): number[] {
    return this.firings.filter((firing) => firing.scheduleId === scheduleId).map(({ timeMs }) => timeMs)
  }

  stop(): Promise<void> {
    return this.server.stop()
  }
}
