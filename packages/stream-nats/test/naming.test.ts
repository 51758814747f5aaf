import t from 'tap'
import { Naming } from '../src/naming.js'

const naming = new Naming('prefix')
const KEYS = ['', 'a', '=', 'a.b', 'note', '.note', '1.1', 'żółć 🦊', '*', '>']

t.test('entries and notes of a turn tell the turn, and are told apart', async (t) => {
  for (const key of KEYS) {
    const turn = { key, generation: 3, attempt: 12 }
    const subjects = [naming.journalSubject(turn), naming.noteSubject(turn)]
    t.equal(new Set(subjects).size, 2)
    for (const subject of subjects) {
      t.match(subject, /^prefix\.journal\.[^*> ]+$/)
      t.strictSame(naming.journalTurn(subject), turn)
    }
  }
  t.equal(naming.journalTurn('prefix.journal.somebody.elses'), undefined)
})

t.test('each key has a subject of its own', async (t) => {
  const subjects = KEYS.map((key) => naming.keySubject('control', { key }))
  t.equal(new Set(subjects).size, KEYS.length)
  for (const subject of subjects) t.match(subject, /^prefix\.control\.[A-Za-z0-9_=-]+$/)
})

t.test('two records of one turn are two timers, the same one twice is one', async (t) => {
  const timer = (text: string, attempt = 1) => naming.timerSubject({ key: 'a', attempt, value: Buffer.from(text) })
  t.equal(timer('x'), timer('x'))
  t.equal(new Set([timer('x'), timer('y'), timer('x', 2)]).size, 3)
  t.match(timer('x'), /^prefix\.timers\.a\.1\.1\.[A-Za-z0-9_-]+$/)
})
