import { readFileSync } from 'node:fs'

/** Reads a JSON file, or says what is wrong with it, without a word of what stands in it. */
export function readJsonFile(path: string): { readonly value: unknown } | { readonly fault: string } {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return { fault: `cannot be read: ${(error as NodeJS.ErrnoException).code}` }
  }
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { fault: `cannot be read: it is not JSON${whereOf(error as Error, text)}` }
  }
}

/** The line, where the parser names a place. The rest of what it says shows the text. */
function whereOf({ message }: Error, text: string): string {
  const [, position] = /at position (\d+)/.exec(message) ?? []
  return position === undefined ? '' : `, in line ${text.slice(0, Number(position)).split('\n').length}`
}
