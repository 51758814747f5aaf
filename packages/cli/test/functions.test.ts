import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeDirectory, run } from './posthaste.js'

const SECRET = 'hunter2hunter2'
const FILE = `functions:
  resize: { url: http://127.0.0.1:9000/resize, headers: { X-Key: { env: RESIZE_KEY } }, doors: [] }
  invoice:
    url: https://billing.example.com/invoices
    method: PUT
    timeout: 2m
    retry: { maxAttempts: 5 }
    limits: { concurrency: 4 }
    acceptStatus: 200
    routes: [/invoices, /bills]
    doors: [openfaas, aws]
`

t.test('the functions of a file are printed, and no secret of theirs', async (t) => {
  const file = join(makeDirectory(t), 'functions.yaml')
  writeFileSync(file, FILE)
  const words = await run(['functions', 'check', file, '--no-json'], { RESIZE_KEY: SECRET })
  t.strictSame(words, {
    code: 0,
    stderr: '',
    stdout: [
      'NAME     URL                                   METHOD  TIMEOUT  ATTEMPTS  AT ONCE  ACCEPTS  ROUTES            DOORS',
      'resize   http://127.0.0.1:9000/resize                                              202                        none',
      'invoice  https://billing.example.com/invoices  PUT     2m       5         4        200      /invoices,/bills  openfaas,aws',
      '',
    ].join('\n'),
  })
  const { code, stderr, stdout } = await run(['functions', 'check', file], { RESIZE_KEY: SECRET })
  t.strictSame([code, stderr], [0, ''])
  const [resize, invoice] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  t.strictSame(resize, {
    ...{ name: 'resize', url: 'http://127.0.0.1:9000/resize', acceptStatus: 202, routes: [], doors: [] },
    headers: { 'x-key': '***' },
  })
  t.match(invoice, { name: 'invoice', timeoutMs: 120_000, retry: { maxAttempts: 5 }, limits: { concurrency: 4 } })
  t.notMatch(stdout, SECRET)
})

t.test('what is wrong is said, with its line', async (t) => {
  const file = join(makeDirectory(t), 'functions.yaml')
  writeFileSync(file, FILE.replace('2m', 'soon').replace('aws', 'awz'))
  t.strictSame(await run(['functions', 'check', file]), {
    code: 1,
    stdout: '',
    stderr: [
      `In ${file} something is wrong:`,
      'line 2, /functions/resize/headers/X-Key: RESIZE_KEY is empty.',
      'line 6, /functions/invoice/timeout: This is not a duration such as "250ms", "10s", "10m", "2h", "7d" or "PT10M".',
      'line 11, /functions/invoice/doors/1: There is no front door "awz"; there are openfaas, boltic, aws, gateway, alibaba, prefer.',
      '',
    ].join('\n'),
  })
  const missing = await run(['functions', 'check', `${file}.none`])
  t.match(missing, { code: 1, stderr: `In ${file}.none something is wrong:\nIt cannot be read: ENOENT.\n` })
  t.match(await run(['functions', 'check']), { code: 2, stderr: /missing required argument 'file'/ })
  t.match(await run(['functions', 'chekc', file]), { code: 2, stderr: /unknown command/ })
})
