import { BlockList, isIPv6 } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { checkTargets, EgressPolicy, type FieldError, functionMapOf, isLoopbackHost, urlsOf } from '../src/index.js'
import { checkUrl } from '../src/url.js'
import { failureOf } from './failure.js'
import { holds } from './property.js'

// Of each range its first and its last address.
const NOT_PUBLIC = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['168.63.129.16'],
  ['169.254.0.0', '169.254.169.254', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '239.255.255.255'],
  ['240.0.0.0', '255.255.255.255'],
  ['::', '::1', '::7f00:1', '::ffff:0:7f00:1'],
  ['::ffff:7f00:1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe'],
  ['64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b:1::1', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['100::', '100::ffff:ffff:ffff:ffff'],
  ['2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff', '2001:1ff:ffff::', '2001:db8::', '2001:db8:ffff::'],
  ['2002::', '2002:7f00:1::', '2002:ffff:ffff::', '3fff::', '3fff:fff::'],
  ['4000::', '5f00::', 'fc00::', 'fd00:ec2::254', 'fdff:ffff::'],
  ['fe80::', 'fe80::1%eth0', 'febf::', 'fec0::', 'feff::', 'ff02::1', 'ffff::'],
].flat()

const PUBLIC = [
  ['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
  [
    '168.63.129.15',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '223.255.255.255',
  ],
  ['2606:4700::1111', '2a00:1450:4001::1', '2001:4860:4860::8888'],
  ['::ffff:8.8.8.8', '64:ff9b::8.8.8.8'],
].flat()

/** What is no address in the one form that it has in a URL, or that a look-up returns. */
const NO_ADDRESS = ['', 'localhost', '0x7f.1', '127.1', '0177.0.0.1', '2130706433', '127.0.0.1.', ' 127.0.0.1', '[::1]']

t.test('public addresses may be called, and no others', async (t) => {
  const policy = new EgressPolicy()
  for (const address of PUBLIC) t.ok(policy.allowsAddress(address), address)
  for (const address of [...NOT_PUBLIC, ...NO_ADDRESS]) t.notOk(policy.allowsAddress(address), address)
})

t.test('others may be called once they are allowed, in whatever form', async (t) => {
  const policy = new EgressPolicy({ allowAddresses: ['10.1.0.0/16', '127.0.0.1', 'fd00::/8'] })
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', '127.0.0.1', 'fd12::1', '8.8.8.8'])
    t.ok(policy.allowsAddress(address), address)
  for (const address of ['10.2.0.0', '127.0.0.2', '::ffff:127.0.0.2', '::1', 'fc00::1', '::10.1.2.3'])
    t.notOk(policy.allowsAddress(address), address)
})

t.test('a range that is written as one of IPv6 is as long as that says', async (t) => {
  const policy = new EgressPolicy({ allowAddresses: ['::ffff:10.1.0.0/112', '64:ff9b::127.0.0.1/128'] })
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '127.0.0.1']) t.ok(policy.allowsAddress(address), address)
  for (const address of ['10.2.0.0', '0.0.0.0', '127.0.0.2']) t.notOk(policy.allowsAddress(address), address)
})

t.test('a URL is judged by its port, and by its host if that is an address', async (t) => {
  const policy = new EgressPolicy({ allowAddresses: ['::1'] })
  for (const url of [
    'http://a.example/',
    'https://a.example/x?y=http://127.0.0.1/',
    'http://a.example:443/',
    'https://a.example:1024/',
    'http://a.example:65535/',
    'http://8.8.8.8/',
    'http://[::1]:8080/',
    'https://[2606:4700::1111]/',
    // Where it leads is known later.
    'http://localhost/',
  ])
    t.ok(policy.allowsUrl(url), url)
  for (const url of [
    'http://a.example:22/',
    'https://a.example:25/',
    'http://a.example:1023/',
    'http://127.0.0.1/',
    'http://127.0.0.1:8080/',
    'http://[::]/',
    'http://[::ffff:7f00:1]/',
    'http://169.254.169.254/latest/meta-data/',
    'ftp://a.example/',
    'a.example',
    '',
  ])
    t.notOk(policy.allowsUrl(url), url)
})

t.test('what is denied is denied, whatever is allowed', async (t) => {
  const allowTargets = ['https://*.example.com', 'http://10.0.0.1:*', 'https://one.example:8443']
  const rules = { allowTargets, denyTargets: ['*://bad.example.com:*'], allowAddresses: ['10.0.0.0/8'] }
  const policy = new EgressPolicy(rules)
  for (const url of [
    'https://a.example.com/',
    'https://a.b.example.com/',
    'http://10.0.0.1:9000/',
    'https://one.example:8443/',
  ])
    t.ok(policy.allowsUrl(url), url)
  for (const url of [
    'http://a.example.com/',
    'https://a.example.com:8443/',
    'https://example.com/',
    'https://aexample.com/',
    'https://bad.example.com/',
    'https://bad.example.com./',
    'https://one.example/',
    'http://10.0.0.2:9000/',
  ])
    t.notOk(policy.allowsUrl(url), url)
  // A second time it is known.
  t.ok(policy.allowsUrl('https://a.example.com/other'))
  t.notOk(policy.allowsUrl('https://bad.example.com/other'))
  t.notOk(new EgressPolicy({ allowTargets: [] }).allowsUrl('https://a.example.com/'), 'of nothing nothing is allowed')
})

t.test('an address is the same in every form, to patterns too', async (t) => {
  for (const pattern of ['*://1.2.3.4', '*://0x1020304', '*://[::ffff:1.2.3.4]', '*://[64:ff9b::102:304]']) {
    const [allowing, denying] = [
      new EgressPolicy({ allowTargets: [pattern] }),
      new EgressPolicy({ denyTargets: [pattern] }),
    ]
    for (const url of [
      'http://1.2.3.4/',
      'https://[::ffff:102:304]/',
      'http://[64:ff9b::102:304]/',
      'http://1.2.3.4../',
    ]) {
      t.ok(allowing.allowsUrl(url), `${pattern} ${url}`)
      t.notOk(denying.allowsUrl(url), `${pattern} ${url}`)
    }
  }
})

t.test('a rule that cannot be read is no rule', async (t) => {
  for (const rules of [
    { allowTargets: ['example.com'] },
    { denyTargets: ['https://'] },
    { allowAddresses: ['10.0.0.0/33'] },
    { allowAddresses: ['0x0a.0.0.0/8'] },
    // More than what stands for IPv4 addresses, which is all that these can be compared with.
    { allowAddresses: ['::ffff:10.0.0.0/8'] },
    { allowAddresses: ['64:ff9b::/32'] },
    { ports: ['80-79'] },
    { ports: ['65536'] },
  ])
    t.throws(() => new EgressPolicy(rules), { code: 'invalid-configuration' }, JSON.stringify(rules))
})

t.test('every URL of a call is checked', async (t) => {
  const call = {
    target: 'http://127.0.0.1/',
    forwardTo: 'http://a.example/',
    onSuccess: { url: 'http://10.0.0.1/', format: 'record' },
    onFailure: { url: 'http://[::1]/', format: 'cloudevents' },
  } as const
  t.equal(urlsOf(call).length, 4)
  t.strictSame(urlsOf({ target: 'http://a/' }), [['/target', 'http://a/']])
  try {
    checkTargets(call, new EgressPolicy())
    t.fail('it is refused')
  } catch (error) {
    t.match(error, {
      code: 'target-refused',
      fields: ['/target', '/onSuccess', '/onFailure'].map((pointer) => ({ pointer })),
    })
    t.notMatch(JSON.stringify(error), /127|10\.|::1|private|loopback/, 'it does not say why')
  }
  checkTargets({ target: 'http://a.example/' }, new EgressPolicy())
})

t.test('a function may be called if it is there, wherever that is', async (t) => {
  const one = { name: 'resize', url: 'http://10.0.0.5/', acceptStatus: 202, headers: {}, routes: [] } as const
  let functions = functionMapOf([one])
  const policy = new EgressPolicy({ allowTargets: [] }, () => functions)
  const call = { target: 'function://resize/a', forwardTo: 'function://other/' }
  t.ok(policy.allowsUrl(call.target))
  t.notOk(policy.allowsUrl('http://resize/'))
  t.notOk(policy.allowsUrl(one.url), 'but by its name')
  t.match(
    failureOf(() => checkTargets(call, policy, '/0')),
    { code: 'unknown-function', fields: [{ pointer: '/0/forwardTo', code: 'unknown-function' }] },
  )
  functions = functionMapOf([])
  t.notOk(policy.allowsUrl(call.target), 'as soon as it is gone')
  t.notOk(new EgressPolicy().allowsUrl(call.target))
})

t.test('what is on this machine alone', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
    t.ok(isLoopbackHost(host), host)
  for (const host of ['', '0.0.0.0', '::', '10.0.0.1', 'localhost.example', '127.0.0.1.example', 'kafka'])
    t.notOk(isLoopbackHost(host), host)
})

/** The IPv4 addresses that are not public, as the IANA registry of special-purpose addresses has them. */
const SPECIAL = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32'],
]

const special = new BlockList()
for (const range of SPECIAL) {
  const [start = '', bits] = range.split('/')
  special.addSubnet(start, Number(bits), 'ipv4')
}

/** Mostly near to where a special range begins or ends. */
const ipv4 = fc.oneof(
  fc.nat(0xffffffff),
  fc.tuple(fc.constantFrom(...SPECIAL), fc.boolean(), fc.integer({ min: -2, max: 2 })).map(([range, isEnd, off]) => {
    const [start = '', bits] = range.split('/')
    const first = start.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    return (first + (isEnd ? 2 ** (32 - Number(bits)) : 0) + off + 2 ** 32) % 2 ** 32
  }),
)

t.test('every notation of an address is judged as the address', async (t) => {
  const policy = new EgressPolicy()
  holds(t, 'notations', 2_000, ipv4, (number) => {
    const parts = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256)
    const dotted = parts.join('.')
    const isPublic = !special.check(dotted, 'ipv4')
    const hosts = [
      dotted,
      String(number),
      `0x${number.toString(16)}`,
      `0${number.toString(8)}`,
      parts.map((part) => `0x${part.toString(16)}`).join('.'),
      parts.map((part) => `0${part.toString(8)}`).join('.'),
      `${parts[0]}.${number % 2 ** 24}`,
      `${parts.join('\u3002')}.`,
      parts
        .map((part) => String(part).replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))))
        .join('.'),
      `[::ffff:${dotted}]`,
      `[64:ff9b::${dotted}]`,
    ]
    for (const host of hosts) {
      const errors: FieldError[] = []
      const url = checkUrl(`http://${host}:8080/`, undefined, '/target', errors)
      if (errors.length > 0 || policy.allowsUrl(url) !== isPublic) throw new Error(`${host} (${dotted}): ${url}`)
    }
    for (const address of [dotted, `::ffff:${dotted}`, `64:ff9b::${dotted}`])
      if (policy.allowsAddress(address) !== isPublic) throw new Error(address)
    if (policy.allowsAddress(`::${dotted}`)) throw new Error(`::${dotted}`)
  })
})

t.test('of IPv6 nothing outside of what is given out may be called', async (t) => {
  const policy = new EgressPolicy()
  holds(t, 'IPv6', 2_000, fc.ipV6().filter(isIPv6), (address) => {
    const { hostname } = new URL(`http://[${address}]/`)
    const first = Number.parseInt(hostname.slice(1, -1).split(':')[0] || '0', 16)
    const carriesIpv4 = /^\[(::ffff:|64:ff9b::)/.test(hostname)
    const mayBe = carriesIpv4 || (first >= 0x2000 && first < 0x4000)
    if (policy.allowsAddress(address) && !mayBe) throw new Error(address)
  })
})
