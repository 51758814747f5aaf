/** A request that a document shows, and the answer that it shows for it, if it does. */
export interface DocExample {
  readonly method: string
  /** As it stands there. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly answer: DocAnswer | undefined
}

export interface DocAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The `curl` commands of a document in Markdown, in their order. The block behind one may show its answer. */
export function readExamples(text: string): DocExample[] {
  const blocks = [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = '', body = '']) => ({
    language,
    body,
  }))
  return blocks.flatMap(({ body, language }, index) => {
    if (language !== 'sh' || !body.startsWith('curl ')) return []
    const next = blocks[index + 1]
    const answer = next?.language === '' && next.body.startsWith('HTTP/1.1 ') ? readAnswer(next.body) : undefined
    return [{ ...readCurl(body), answer }]
  })
}

function readCurl(command: string): Omit<DocExample, 'answer'> {
  const words = [...command.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|(\S+)/g)].map(([, a, b = '']) => a ?? b)
  const valuesOf = (flag: string): string[] => words.filter((_, index) => words[index - 1] === flag)
  const [body] = valuesOf('-d')
  const [method = body === undefined ? 'GET' : 'POST'] = valuesOf('-X')
  const headers = valuesOf('-H').map((line) => line.split(/:\s*(.*)/s).slice(0, 2))
  const url = words.find((word) => word.startsWith('http://'))
  if (url === undefined) throw new Error(`no URL in ${command}`)
  return { method, url, headers: Object.fromEntries(headers), body }
}

function readAnswer(text: string): DocAnswer {
  const [head = '', ...rest] = text.split('\n\n')
  const [first = '', ...lines] = head.split('\n')
  const headers = lines.map((line) => line.split(/:\s*(.*)/s).slice(0, 2))
  return { status: Number(first.split(' ')[1]), headers: Object.fromEntries(headers), body: rest.join('\n\n').trim() }
}
