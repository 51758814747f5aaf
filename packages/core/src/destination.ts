/** Forms in which a destination is told: a record as AWS Lambda sends it, that as the data of a CloudEvent, or the body as it came. */
export const DESTINATION_FORMATS = ['record', 'cloudevents', 'event'] as const

/** Whom to tell of an end, by POST, and in which form. */
export interface Destination {
  readonly url: string
  readonly format: (typeof DESTINATION_FORMATS)[number]
}
