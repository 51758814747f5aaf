import t from 'tap'
import { networkOf } from '../src/index.js'

t.test('whoever has an address of IPv6 has all with the same first half', async (t) => {
  t.equal(networkOf('192.0.2.1'), '192.0.2.1')
  t.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
  for (const address of ['2001:db8:1:2::9', '2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:DB8:1:2::']) {
    t.equal(networkOf(address), '2001:db8:1:2::/64', address)
  }
  t.equal(networkOf('2001:db8:1:3::9'), '2001:db8:1:3::/64')
  t.equal(networkOf(''), '', 'of a connection that is gone already')
})
