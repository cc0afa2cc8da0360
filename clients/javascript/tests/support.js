import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

import ApiClient from '@example/protocol-api'

const { GROUPS_URL, GROUPS_TOKEN } = process.env
assert.ok(GROUPS_URL && GROUPS_TOKEN, 'Run the tests with `cargo local -- clients/javascript/test`.')

export const url = GROUPS_URL
export const token = GROUPS_TOKEN

export function createClient(options) {
  return new ApiClient(token, { baseUrl: url, ...options })
}

/** Starts clients/faulty_proxy.py. Returns its URL, and a function that stops it and returns its requests. */
export async function startProxy(t, ...faults) {
  const proxy = spawn('python3', ['../faulty_proxy.py', ...faults], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => proxy.kill())
  const lines = createInterface(proxy.stdout)
  const [baseUrl] = await once(lines, 'line')
  const requests = []
  lines.on('line', (line) => requests.push(line))
  const stop = async () => {
    proxy.kill()
    await once(lines, 'close')
    return requests
  }
  return { baseUrl, stop }
}

/** Starts a server on this machine, and returns its URL. */
export async function startServer(t, respond) {
  const server = createServer(respond).listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}`
}

/** Returns a URL at which nothing listens. */
export async function findClosedPort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

export async function collect(iterator) {
  const items = []
  for await (const item of iterator) {
    items.push(item)
  }
  return items
}
