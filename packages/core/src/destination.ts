/** Forms in which a destination is told: a record as AWS Lambda sends it, or that as the data of a CloudEvent. */
export const DESTINATION_FORMATS = ['record', 'cloudevents'] as const

/** Whom to tell of an end, by POST, and in which form. */
export interface Destination {
  readonly url: string
  readonly format: (typeof DESTINATION_FORMATS)[number]
}
