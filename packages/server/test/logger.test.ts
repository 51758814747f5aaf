import t from 'tap'
import { createLogger } from '../src/index.js'

const NAMES = ['authorization', 'cookie', 'set-cookie', 'proxy-authorization', 'password', 'token', 'secret']

function logged(fields: object, level: 'debug' | 'info' | 'warn' | 'error' = 'info'): string[] {
  const lines: string[] = []
  createLogger({ logLevel: 'info' }, { write: (line) => void lines.push(line) })[level](fields, 'a message')
  return lines
}

t.test('a line is JSON with a level, a time and a message', async (t) => {
  const [line = '', ...more] = logged({ port: 1 }, 'warn')
  t.equal(more.length, 0)
  t.match(JSON.parse(line), { level: 'warn', port: 1, msg: 'a message' })
  t.match(JSON.parse(line).time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

t.test('what is below the level is not written', async (t) => {
  t.strictSame(logged({}, 'debug'), [])
  const silent: string[] = []
  createLogger({ logLevel: 'silent' }, { write: (line) => void silent.push(line) }).error({}, 'a message')
  t.strictSame(silent, [])
})

t.test('what is secret by its name is not written', async (t) => {
  const secret = 'hunter2'
  for (const name of NAMES) {
    const places: object[] = [
      { [name]: secret },
      { [name]: [secret, secret] },
      { headers: { [name]: secret } },
      { headers: { [name]: [secret] } },
      { request: { headers: { [name]: secret } } },
      { a: { request: { headers: { [name]: secret } } } },
      { requests: [{ [name]: secret }] },
      { err: Object.assign(new Error('failed'), { headers: { [name]: secret } }) },
      { err: Object.assign(new Error('failed'), { request: { headers: { [name]: secret } } }) },
    ]
    for (const fields of places) {
      const [line = ''] = logged({ ...fields, port: 1 })
      t.notMatch(line, secret, `${name}: ${line}`)
      t.match(JSON.parse(line), { port: 1 })
    }
  }
})

t.test('what is logged is left as it was', async (t) => {
  const fields = { headers: { authorization: 'hunter2', 'set-cookie': ['a=b'] } }
  logged(fields)
  t.strictSame(fields, { headers: { authorization: 'hunter2', 'set-cookie': ['a=b'] } })
})

t.test('an error is written with its stack, its code and its cause', async (t) => {
  const cause = new Error('the disk is gone')
  const [line = ''] = logged({ err: Object.assign(new Error('failed', { cause }), { code: 'EIO' }) }, 'error')
  t.match(JSON.parse(line).err, { message: /^failed/, code: 'EIO', stack: /the disk is gone/ })
})
