import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A request as its bytes came, each character one of them. */
export interface RawRequest {
  readonly startLine: string
  /** Whole lines, in their order. */
  readonly headerLines: readonly string[]
  readonly body: string
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'

/** A TCP server that takes no HTTP library's word for what came. It reads a body by its `Content-Length` alone. */
export async function startRawTarget(
  t: Test,
  answer: (request: RawRequest) => string = () => OK,
): Promise<{ readonly url: string; readonly requests: RawRequest[] }> {
  const requests: RawRequest[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    let text = ''
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      for (let request = takeRequest(text); request; request = takeRequest(text)) {
        text = text.slice(request.length)
        requests.push(request)
        socket.write(answer(request), 'latin1')
      }
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** The first request of a text, if it is there as a whole, and how long it is. */
function takeRequest(text: string): (RawRequest & { readonly length: number }) | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [startLine = '', ...headerLines] = text.slice(0, end).split('\r\n')
  const lengthLine = headerLines.find((line) => /^content-length:/i.test(line))
  const length = end + 4 + Number(lengthLine?.split(':')[1] ?? 0)
  return text.length < length ? undefined : { startLine, headerLines, body: text.slice(end + 4, length), length }
}

/** The values of all lines of a name. */
export function valuesOf({ headerLines }: RawRequest, name: string): string[] {
  const start = `${name}:`
  return headerLines
    .filter((line) => line.toLowerCase().startsWith(start))
    .map((line) => line.slice(start.length).trim())
}
