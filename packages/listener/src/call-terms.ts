import { type Call, type FunctionMap, functionOf, NO_FUNCTIONS, policyOf, type RetryPolicy } from '@posthaste/core'

/** What says on which terms calls are made. */
export interface TermsOptions {
  readonly retry: RetryPolicy
  /** Those that there are now. */
  readonly functions?: () => FunctionMap
}

/** The functions that there are at this moment. */
export function functionsNow({ functions }: Pick<TermsOptions, 'functions'>): FunctionMap {
  return functions?.() ?? NO_FUNCTIONS
}

/** When a call is tried again: as it says, then as its function does, then as the listener does. */
export function policyFor({ retry, target }: Pick<Call, 'retry' | 'target'>, options: TermsOptions): RetryPolicy {
  return policyOf(retry, functionOf(target, functionsNow(options))?.retry, options.retry)
}
