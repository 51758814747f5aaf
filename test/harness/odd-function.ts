import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

const OF_FUNCTION = 'x-of-function: 1'
/** What no library answers, be it allowed or not; the head is told, or nothing is. */
const ANSWERS = [
  `HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n${OF_FUNCTION}\r\n\r\n`,
  `HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n${OF_FUNCTION}\r\n\r\n`,
  `HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n${OF_FUNCTION}\r\n\r\n`,
  `HTTP/1.1 200\r\n${OF_FUNCTION}\r\n\r\nuntil it ends`,
  'HTTP/1.0 200 OK\r\n\r\nhi',
  'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi',
  `HTTP/1.1 500 ${'very '.repeat(100)}wrong\r\ncontent-length: 0\r\n${OF_FUNCTION}\r\n\r\n`,
  'HTTP/1.1 200 OK\r\nset-cookie: a\r\nset-cookie: b\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nx: y\r\n\r\n',
  'HTTP/1.1 200 OK\r\nposthaste-id: x\r\nconnection: content-type, x\r\ncontent-type: none\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ncontent-type: \xff\xfe\r\nx-a:\tb \r\ncontent-length: 2\r\n\r\nhi',
  'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi!',
  'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
  'HTTP/1.1 200 OK\r\nx: \x01\0\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
  'HTTP/1.1 700 What\r\ncontent-length: 0\r\n\r\n',
  'HTTP/1.1 099 What\r\ncontent-length: 0\r\n\r\n',
  'SSH-2.0-OpenSSH\r\n',
  '',
]

/** A function that answers each request with something odd, by turns. Returns its URL. */
export async function startOddFunction(t: { after(work: () => void): unknown }): Promise<string> {
  let count = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.end(ANSWERS[count % ANSWERS.length] as string, 'latin1')
      count += 1
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
