import type {
  Acted,
  Begun,
  Completed,
  Consumer,
  Delivery,
  Effects,
  NewRecord,
  Progress,
  PullOptions,
  Turn,
} from '@posthaste/stream'
import type { Msg } from 'nats'
import { Completer } from './completer.js'
import type { GroupOptions, Joined } from './durable.js'
import { InWork } from './in-work.js'
import { Intake } from './intake.js'
import { GivenUp, untilDone } from './journal.js'
import { type DeliverySource, NatsDelivery, readDeliveryInfo, readInHand } from './nats-delivery.js'
import type { NatsParts } from './parts.js'
import { PutOffs } from './put-offs.js'
import { askStanding } from './standing.js'
import { encodeTurn } from './turn-text.js'
import { Upkeep } from './upkeep.js'
import { Writing } from './writing.js'

/** The share of the ack wait for which a sign of life counts here: clocks run at different speeds, and calls take time. */
const HELD_SHARE = 0.9
const RELEASE_EVERY_MS = 1_000
/** One for all, so that whoever waits for many of them waits for one. */
const DONE = Promise.resolve<Completed>('done')

/** A member of a group: one of those who pull from the group's durable consumer. */
export class NatsConsumer implements Consumer, DeliverySource {
  readonly heldMs: number
  readonly #parts: NatsParts
  readonly #name: string
  readonly #member: string
  readonly #inWork: InWork
  readonly #intake: Intake
  readonly #putOffs: PutOffs
  readonly #completer: Completer
  readonly #writing = new Writing()
  readonly #upkeep: Upkeep
  readonly #releasing: NodeJS.Timeout
  /** Who works on which turn. */
  readonly #turns = new Map<string, NatsDelivery>()
  #handedOut = 0
  #stopped: Promise<void> | undefined

  constructor(parts: NatsParts, group: GroupOptions, joined: Joined, member: string) {
    this.#parts = parts
    this.#name = joined.consumer
    this.#member = member
    this.heldMs = group.ackWaitMs * HELD_SHARE
    this.#inWork = new InWork(parts.connection, group.ackWaitMs, (delivery) => this.#lose(delivery))
    this.#completer = new Completer(parts, this.#writing.givenUp)
    this.#intake = new Intake({
      connection: parts.connection,
      api: `$JS.API.CONSUMER.MSG.NEXT.${parts.naming.stream('calls')}.${this.#name}`,
      recordBytesMax: parts.recordBytesMax,
      accept: (message) => this.#accept(message),
    })
    this.#putOffs = new PutOffs(group.maxAckPending, (delivery) => this.#intake.keep(delivery))
    this.#upkeep = new Upkeep(parts, group, joined, (pending) => this.#putOffs.note(pending))
    this.#releasing = setInterval(() => this.#release(), RELEASE_EVERY_MS)
  }

  async pull(options: PullOptions): Promise<Delivery[]> {
    const deliveries = await this.#intake.pull(options)
    for (const delivery of deliveries) delivery.isHandedOut = true
    this.#handedOut += deliveries.length
    return deliveries
  }

  async progress(): Promise<readonly Progress[]> {
    return [
      {
        partition: 0,
        ...(await askStanding(this.#parts, this.#name, this.#inWork, (delivery) => this.#putOffs.has(delivery))),
        inFlight: this.#handedOut,
        overdue: false,
        owner: this.#stopped ? 'none' : 'this',
        member: this.#member,
      },
    ]
  }

  begin(delivery: NatsDelivery, turn: Turn): Begun | Promise<Begun> {
    const text = encodeTurn(turn)
    const other = this.#turns.get(text)
    if ((other && other !== delivery) || delivery.isLost) return 'copy'
    this.#turns.set(text, delivery)
    delivery.turnText = text
    return this.#isSurelyFirst(delivery, turn) ? 'fresh' : this.#lookUp(delivery, turn)
  }

  complete(delivery: NatsDelivery, effects: Effects): Promise<Completed> {
    if (this.#stopped) return Promise.resolve('lost')
    // What is put off may be back before its completion is through, and is then no copy.
    if (!effects.journal?.length) this.#forgetTurn(delivery)
    if (this.#putOff(delivery, effects)) return DONE
    return this.#writing.add(this.#complete(delivery, effects))
  }

  act(turn: Turn, effects: Effects): Promise<Acted> {
    if (this.#stopped) return Promise.resolve('elsewhere')
    return this.#writing.add(this.#completer.act(turn, effects))
  }

  tell(notes: readonly NewRecord[]): Promise<void> {
    return this.#writing.add(this.#completer.tell(notes))
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  #accept(message: Msg): NatsDelivery | undefined {
    const info = readDeliveryInfo(message.reply ?? '')
    const same = this.#inWork.get(info.sequence)
    if (same) {
      // The server gave up waiting for us a moment too early and chose us again.
      same.replySubject = info.replySubject
      same.deliveries = info.deliveries
      same.extendedAtMs = Math.max(same.extendedAtMs, this.#inWork.sentAfterMs)
      return undefined
    }
    const delivery = new NatsDelivery(readInHand(message, info, this.#inWork.sentAfterMs), this)
    this.#inWork.add(delivery)
    return delivery
  }

  #isSurelyFirst({ deliveries, isBack, marks, record }: NatsDelivery, { attempt = 1 }: Turn): boolean {
    return (
      deliveries === 1 &&
      !isBack &&
      attempt === 1 &&
      !marks.isCopy &&
      marks.dueMs === undefined &&
      record.offset > this.#upkeep.surelyFirstAbove
    )
  }

  async #lookUp(delivery: NatsDelivery, turn: Turn): Promise<Begun> {
    const { connection, journal } = this.#parts
    try {
      const found = await untilDone(connection, delivery.lost, () => journal.find(turn))
      return found ?? 'fresh'
    } catch (error) {
      // It is not ours any more, so nothing is to be done for it here.
      if (error instanceof GivenUp) return 'copy'
      throw error
    }
  }

  /** Whether the record stays in work, to be delivered here again. */
  #putOff(delivery: NatsDelivery, effects: Effects): boolean {
    const again = this.#putOffs.take(delivery, effects)
    if (!again) return false
    this.#end(delivery)
    this.#inWork.add(again)
    return true
  }

  async #complete(delivery: NatsDelivery, effects: Effects): Promise<Completed> {
    // Another may have it. Only the journal can tell who was first.
    if (delivery.isLost && !effects.journal?.length) return 'lost'
    try {
      if ((await this.#completer.complete(delivery, effects)) === 'taken') return this.#lose(delivery)
      this.#end(delivery)
      return 'done'
    } catch (error) {
      this.#lose(delivery)
      if (error instanceof GivenUp) return 'lost'
      throw error
    }
  }

  #end(delivery: NatsDelivery): void {
    if (this.#inWork.remove(delivery) && delivery.isHandedOut) this.#handedOut -= 1
    this.#forgetTurn(delivery)
  }

  #forgetTurn(delivery: NatsDelivery): void {
    const { turnText } = delivery
    if (turnText !== undefined && this.#turns.get(turnText) === delivery) this.#turns.delete(turnText)
  }

  #lose(delivery: NatsDelivery): 'lost' {
    this.#end(delivery)
    this.#putOffs.remove(delivery)
    delivery.lose()
    return 'lost'
  }

  /** Gives back what nobody pulls. */
  #release(): void {
    for (const delivery of this.#intake.release()) this.#inWork.remove(delivery)
  }

  async #stop(): Promise<void> {
    this.#intake.end()
    clearInterval(this.#releasing)
    this.#upkeep.stop()
    this.#putOffs.clear()
    await this.#writing.finish()
    await this.#intake.stop()
    const left = [...this.#inWork.all()]
    for (const delivery of left) this.#lose(delivery)
    await this.#intake.giveBack(left)
    this.#inWork.stop()
  }
}
