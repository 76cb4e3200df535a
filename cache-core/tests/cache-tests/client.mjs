// Runs the suite's own client against a cache and prints the result of each test:
//   node client.mjs SUITE BASE [TEST]
// With TEST only that one, with the fields that both sides received. The suite's command line leaves out the tests that
// it marks for browsers; three of them are about private caches, so all are run here, and score.mjs selects those that
// count.
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, base, only] = process.argv.slice(2)
const load = file => import(pathToFileURL(path.resolve(suite, file)).href)
const { runTests, getResults } = await load('test-engine/client/runner.mjs')
const { default: sections } = await load('tests/index.mjs')
const picked = sections.map(section => ({
  ...section,
  tests: section.tests
    .filter(test => only === undefined || test.id === only)
    .map(({ browser_only: _, ...test }) => ({ ...test, dump: only !== undefined }))
}))
await runTests(picked, false, base)
console.log(JSON.stringify(getResults()))
process.exit(0)
