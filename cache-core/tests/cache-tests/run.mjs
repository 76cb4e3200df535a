// Runs the public HTTP cache test suite against the reverse proxy, as a private cache and as a shared one:
//   node run.mjs SUITE PROXY            both, and whether they pass what they should
//   node run.mjs SUITE PROXY VIEW TEST  one test in one view, with the fields that both sides saw
// Everything stays on 127.0.0.1, on free ports, and ends with this program.
import { spawn } from 'node:child_process'
import path from 'node:path'
import readline from 'node:readline'
import { loadReasons, loadTests, score } from './score.mjs'

const here = path.dirname(new URL(import.meta.url).pathname)
const [suite, proxy, onlyView, onlyTest] = process.argv.slice(2)
const children = []
process.on('exit', () => children.forEach(child => child.kill()))

function start (program, args, env = {}) {
  const stdio = ['ignore', 'pipe', onlyTest ? 'inherit' : 'ignore']
  const child = spawn(program, args, { stdio, env: { ...process.env, ...env } })
  children.push(child)
  child.lines = readline.createInterface({ input: child.stdout })
  return child
}

// The address that a server prints once it listens.
function address (server) {
  return new Promise((resolve, reject) => {
    server.lines.on('line', line => {
      const [found] = /127\.0\.0\.1:\d+/.exec(line) ?? []
      if (found) resolve(`http://${found}`)
      else if (onlyTest) console.log(line)
    })
    server.on('error', reject)
    server.on('exit', code => reject(new Error(`${server.spawnfile} ended with ${code} before it listened`)))
  })
}

async function results (view, origin) {
  // RFC 9111 allows a shared cache to store Set-Cookie, and the suite expects it; by default the proxy does not.
  const flags = view === 'shared' ? ['--shared', '--store-set-cookie'] : []
  const cache = start(proxy, ['--listen', '127.0.0.1:0', '--origin', origin, '--policy', 'specification', ...flags])
  const args = [path.join(here, 'client.mjs'), suite, await address(cache), ...(onlyTest ? [onlyTest] : [])]
  let last
  for await (const line of start(process.execPath, ['--no-warnings', ...args]).lines) {
    if (onlyTest) console.log(line)
    last = line
  }
  return JSON.parse(last)
}

const server = ['--no-warnings', '--import', path.join(here, 'loopback.mjs'), 'test-engine/server/server.mjs']
const environment = { npm_config_protocol: 'http', npm_config_port: '0', npm_config_pidfile: '/dev/null' }
process.chdir(suite)
const origin = await address(start(process.execPath, server, environment))
if (onlyTest) {
  await results(onlyView, origin)
  process.exit(0)
}

const tests = await loadTests(suite)
let isAsExpected = true
const views = ['private', 'shared']
const all = await Promise.all(views.map(view => results(view, origin)))
for (const [place, view] of views.entries()) {
  const { counts, missed } = score(tests, all[place], view)
  const reasons = loadReasons(path.join(here, 'not-passed.toml'), view)
  const [required, optimal, checks] = Object.values(counts).map(([passed, total]) => `${passed}/${total}`)
  console.log(`${view}: ${required} required and ${optimal} optimal tests passed; ${checks} checks answered with yes`)
  for (const [id, what] of missed) {
    if (reasons.has(id)) continue
    isAsExpected = false
    console.log(`  not passed, and not in not-passed.toml: ${id} (${what})`)
  }
  for (const id of reasons.keys()) {
    if (missed.has(id)) continue
    isAsExpected = false
    console.log(`  passed, but listed in not-passed.toml: ${id}`)
  }
}
process.exit(isAsExpected ? 0 : 1)
