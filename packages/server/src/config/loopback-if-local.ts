/** Among the addresses that may be called: loopback, if that is all that this process has to do with. */
export const LOOPBACK_IF_LOCAL = 'auto'
