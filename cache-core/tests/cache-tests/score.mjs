// What results of the suite say of a cache, as the suite's site (cache-tests.fyi) reads them.
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

// Which tests say something of which kind of cache.
const VIEWS = {
  private: ['every', 'client', 'private'],
  shared: ['every', 'client', 'interim', 'shared']
}

// Every test of the suite by its id, with what it is about.
export async function loadTests (suite) {
  const { default: sections } = await import(pathToFileURL(path.resolve(suite, 'tests/index.mjs')).href)
  const tests = sections.flatMap(section => section.tests)
  return new Map(tests.map(test => [test.id, { ...test, kind: test.kind ?? 'required', about: about(test) }]))
}

function about (test) {
  if (test.cdn_only) return 'cdn' // CDN-Cache-Control: RFC 9213
  if (test.browser_only) return test.requests.some(request => 'cache' in request) ? 'fetch' : 'private'
  if (test.requests.some(request => 'interim_responses' in request)) return 'interim'
  if (test.browser_skip) return /\bshared\b/i.test(test.name) ? 'shared' : 'client'
  return 'every'
}

// passed, failed, or blocked: a test says nothing where one that it builds on did not pass. Where the scene could not be
// set or the client gave up, that is no answer of the cache's, but no pass either.
function verdict (tests, results, id) {
  const result = results[id]
  const isBlocked = (tests.get(id)?.depends_on ?? []).some(other => verdict(tests, results, other) !== 'passed')
  if (isBlocked) return 'blocked'
  if (result === true) return 'passed'
  if (result === undefined) return 'not run'
  return { Setup: 'setup', AbortError: 'timeout' }[result[0]] ?? 'failed'
}

// How many tests of each kind a cache passes, and which it does not. Checks only ask how it behaves.
export function score (tests, results, view) {
  const counts = { required: [0, 0], optimal: [0, 0], check: [0, 0] }
  const missed = new Map()
  for (const [id, { kind, about }] of tests) {
    if (!VIEWS[view].includes(about)) continue
    const what = verdict(tests, results, id)
    counts[kind][1]++
    if (what === 'passed') counts[kind][0]++
    else if (kind !== 'check') missed.set(id, `${kind}, ${what}: ${[results[id]].flat().join(': ')}`)
  }
  return { counts, missed }
}

// The tests that are known not to be passed in a view, with the reasons: `id = "reason"` under [every] or the view.
export function loadReasons (file, view) {
  const reasons = new Map()
  let section
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    section = /^\[(.*)\]$/.exec(line)?.[1] ?? section
    const [, id, reason] = /^([\w-]+) = "(.+)"$/.exec(line) ?? []
    if (id && (section === 'every' || section === view)) reasons.set(id, reason)
  }
  return reasons
}
