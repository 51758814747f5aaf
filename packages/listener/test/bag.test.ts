import t from 'tap'
import { Bag, type Bagged } from '../src/bag.js'

t.test('what is added is in it until it is removed, in whatever order', async (t) => {
  const things = Array.from({ length: 6 }, (_, name) => ({ name, slot: -1 }))
  const bag = new Bag<Bagged & { name: number }>()
  const names = (): number[] =>
    bag
      .all()
      .map(({ name }) => name)
      .sort()
  for (const thing of things) bag.add(thing)
  const left = new Set(things.map(({ name }) => name))
  for (const index of [2, 5, 0, 4, 3, 1]) {
    bag.remove(things[index] as (typeof things)[number])
    left.delete(index)
    t.strictSame(names(), [...left].sort())
    t.equal(bag.size, left.size)
  }
  bag.add(things[3] as (typeof things)[number])
  t.strictSame(names(), [3], 'and it can come back')
})

t.test('it can be emptied while one goes through it', async (t) => {
  const bag = new Bag<Bagged>()
  for (let count = 0; count < 5; count += 1) bag.add({ slot: -1 })
  for (const thing of bag.all()) bag.remove(thing)
  t.equal(bag.size, 0)
})
