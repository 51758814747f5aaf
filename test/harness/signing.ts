type Signing = typeof import('../../packages/accepter/test/signing.js')

/** As clients sign, by their systems' own description. */
export const { signedByAlibaba, signedByAws, signedForVersion2 }: Signing = await import(
  new URL('../../../packages/accepter/dist/test/signing.js', import.meta.url).href
)
