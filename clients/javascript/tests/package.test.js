// The package as it is published: its files, and the examples of README.md.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { token, url } from './support.js'

// A folder of a program that uses the package.
const folder = mkdtempSync(join(tmpdir(), 'protocol-api-'))
let files

before(() => {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
  const [{ files: packed, filename }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], options),
  )
  files = packed.map((file) => file.path)
  execFileSync('npm', ['install', '--silent', '--offline', '--prefix', folder, join(folder, filename)], options)
})

after(() => rmSync(folder, { recursive: true }))

/** Runs a program whose variable `token` contains the token. */
function run(program, type = 'module') {
  execFileSync(process.execPath, [`--input-type=${type}`, '--eval', program], {
    cwd: folder,
    env: { ...process.env, PROTOCOL_BASE_URL: url, TOKEN: token },
    stdio: 'pipe',
  })
}

const withToken = (program) => `const token = process.env.TOKEN\n${program}`

test('the package contains the client, its types, README.md and LICENSE', () => {
  assert.deepEqual(files.sort(), [
    'LICENSE',
    'README.md',
    'index.cjs',
    'index.d.cts',
    'index.d.ts',
    'index.js',
    'openapi.d.cts',
    'package.json',
  ])
})

test('the version is the version of openapi.yaml', () => {
  const [, version] = readFileSync('../../openapi.yaml', 'utf8').match(/^ {2}version: (\S+)$/m)
  assert.equal(JSON.parse(readFileSync('package.json')).version, version)
  assert.equal(readFileSync('index.js', 'utf8').match(/^const VERSION = '(.+)'$/m)[1], version)
})

test('the examples of README.md run', () => {
  const readme = readFileSync('README.md', 'utf8')
  const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, example]) => example)
  assert.ok(examples.length > 0)
  run(withToken(examples.join('\n')))
})

test('`require` loads the package', () => {
  run(
    withToken(`
      const { ApiClient, ApiError } = require('@example/protocol-api')
      const { groups } = new ApiClient(token)
      groups.list().then((page) => require('node:assert').equal(page.data.length, 10))
      groups.get('a').then(process.abort, (error) => require('node:assert').ok(error instanceof ApiError))`),
    'commonjs',
  )
})
