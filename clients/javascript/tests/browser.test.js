// The client in Chromium, on a page of another origin than the API.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'

import puppeteer from 'puppeteer-core'

import { startServer, token, url } from './support.js'

test('a page of another origin calls the API', async (t) => {
  const script = await readFile('index.js')
  const page = await startServer(t, (request, response) => {
    const isScript = request.url === '/index.js'
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
    response.end(isScript ? script : '<!doctype html><title>Groups</title>')
  })
  const redirect = await startServer(t, (request, response) => {
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization' }
    response.writeHead(request.method === 'OPTIONS' ? 204 : 302, { ...headers, location: url }).end()
  })
  assert.notEqual(new URL(page).origin, new URL(url).origin)

  // Chromium's sandbox does not run as root.
  const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] })
  t.after(() => browser.close())
  const tab = await browser.newPage()
  await tab.goto(page)
  const result = await tab.evaluate(
    async (token, baseUrl, redirect, name) => {
      const { default: ApiClient, ApiError } = await import('/index.js')
      const sent = new Set()
      const fetch = (url, init) => {
        for (const name of init.headers.keys()) {
          sent.add(name)
        }
        return globalThis.fetch(url, init)
      }
      const { groups } = new ApiClient(token, { baseUrl, fetch })
      const group = await groups.create({ name })
      const updated = await groups.update(group.id, { description: 'In a browser.' }, { ifMatch: group.etag })
      const names = []
      for await (const { name } of groups.iterate()) {
        names.push(name)
      }
      const stale = await groups.delete(group.id, { ifMatch: group.etag }).catch((error) => error)
      await groups.delete(group.id)
      // The default fetch.
      const missing = await new ApiClient(token, { baseUrl }).groups.get(group.id).catch((error) => error)
      const redirected = await new ApiClient(token, { baseUrl: redirect }).groups.list().catch((error) => error)
      return {
        sent: [...sent].sort(),
        names,
        description: updated.description,
        stale: stale.code,
        missing: [missing instanceof ApiError, missing.code, typeof missing.request_id],
        redirected: [redirected instanceof ApiError, redirected.status],
      }
    },
    token,
    url,
    redirect,
    `Browser ${randomUUID()}`,
  )
  // Chromium drops a User-Agent, but in other browsers it would make the preflight fail.
  assert.deepEqual(result.sent, ['authorization', 'content-type', 'idempotency-key', 'if-match'])
  assert.match(result.names[0], /^Browser /)
  assert.ok(result.names.length > 10)
  assert.equal(result.description, 'In a browser.')
  assert.equal(result.stale, 'precondition_failed')
  assert.deepEqual(result.missing, [true, 'group_not_found', 'string'])
  assert.deepEqual(result.redirected, [true, 0])
})
