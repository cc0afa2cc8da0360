// What the client does by itself: options, delays, unexpected responses, and that it keeps the token secret.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { serialize } from 'node:v8'

import ApiClient, { ApiError, ConnectionError, ProtocolError, TimeoutError } from '@example/protocol-api'

import { collect, createClient, findClosedPort, startServer, token, url } from './support.js'

const group = { id: 'L7cGNIBKZiNJ6wqF', contacts: [] }

/** Returns a client whose fetch records its arguments, and responds with this status code, body and headers. */
function createRecordingClient(status, body, headers, options) {
  const requests = []
  const fetch = async (url, init) => {
    requests.push({ url, ...init })
    return new Response(body, { status, headers })
  }
  return { client: new ApiClient(token, { fetch, ...options }), requests }
}

function withBaseUrl(value, run) {
  const { PROTOCOL_BASE_URL } = process.env
  try {
    process.env.PROTOCOL_BASE_URL = value
    return run()
  } finally {
    delete process.env.PROTOCOL_BASE_URL
    Object.assign(process.env, PROTOCOL_BASE_URL !== undefined && { PROTOCOL_BASE_URL })
  }
}

test('the base URL is the option, the environment variable or the default', async () => {
  const page = JSON.stringify({ has_more: false, data: [] })
  const requestUrl = async (variable, baseUrl) => {
    const { client, requests } = withBaseUrl(variable, () => createRecordingClient(200, page, {}, { baseUrl }))
    await client.groups.list()
    return requests[0].url
  }
  assert.equal(await requestUrl('', undefined), 'https://api.protocol.chat/v1/groups')
  assert.equal(await requestUrl('http://a.example', undefined), 'http://a.example/v1/groups')
  assert.equal(await requestUrl('http://a.example', 'HTTPS://b.example:1/c//'), 'https://b.example:1/c/v1/groups')
})

test('invalid options are rejected', () => {
  const message =
    'The base URL must be an http or https URL without credentials, query or fragment, such as ' +
    'https://api.protocol.chat.'
  const unusable = ['https://u:p@a.example', 'https://u@a.example', 'https://a.example?b', 'https://a.example?']
  const malformed = ['', 'api.example', 'http://', ' http://a.example', 'http://a.example:99999', 'http:\\\\a.example']
  for (const baseUrl of ['ftp://a.example', 'https://a.example#b', ...unusable, ...malformed]) {
    // The token is not used before the base URL is valid.
    assert.throws(() => new ApiClient('', { baseUrl }), { name: 'TypeError', message })
  }
  for (const timeout of [0, -1, 0.5, NaN, Infinity, 2 ** 31, '1']) {
    assert.throws(() => createClient({ timeout }), TypeError, String(timeout))
  }
  for (const retries of [-1, 0.5, Infinity, '1', null]) {
    assert.throws(() => createClient({ retries }), TypeError, String(retries))
  }
})

test('unknown options are rejected, and null means that there are none', async () => {
  assert.throws(() => createClient({ base_url: url, retry: 1 }), { name: 'TypeError', message: /`base_url`, `retry`/ })
  const { client, requests } = createRecordingClient(200, JSON.stringify(group))
  const { groups } = client
  await assert.rejects(groups.create({}, { idempotencykey: 'a' }), /^TypeError: There is no option `idempotencykey`/)
  await assert.rejects(groups.update('a', {}, { if_match: 'a' }), /^TypeError: There is no option `if_match`/)
  await assert.rejects(groups.delete('a', { ifmatch: 'a' }), /^TypeError: There is no option `ifmatch`/)
  assert.deepEqual(requests, [])
  assert.ok(new ApiClient(token, null))
  await groups.create({}, null)
  await groups.update('a', {}, null)
  const deleting = createRecordingClient(204, null)
  assert.equal(await deleting.client.groups.delete('a', null), undefined)
  const page = createRecordingClient(200, JSON.stringify({ has_more: false, data: [] }))
  assert.deepEqual((await page.client.groups.list(null)).data, [])
  assert.deepEqual(await collect(page.client.groups.iterate(null)), [])
  await collect(page.client.groups.iterate({ limit: null }))
  assert.deepEqual(page.requests.map(({ url }) => new URL(url).search), ['', '?limit=100', '?limit=100'])
})

test('arguments that would change the meaning of a request are rejected before it is sent', async () => {
  const { client, requests } = createRecordingClient(200, JSON.stringify(group))
  for (const id of ['', '.', '..', '\ud800', undefined, null, 1, {}]) {
    await assert.rejects(client.groups.get(id), TypeError)
    await assert.rejects(client.groups.update(id, {}), TypeError)
    await assert.rejects(client.groups.delete(id), TypeError)
  }
  for (const archived_at of [NaN, -Infinity, new Number(NaN), new Date(NaN), { toJSON: () => null }]) {
    await assert.rejects(client.groups.update(group.id, { archived_at }), /^TypeError: `archived_at` has a value/)
  }
  for (const contact of [undefined, () => {}, Symbol('a'), NaN]) {
    await assert.rejects(client.groups.update(group.id, { contacts: [contact] }), /^TypeError: `0` has a value/)
  }
  for (const key of ['', ' ', 'a\nb', 'é', 1]) {
    await assert.rejects(client.groups.create({ name: 'a' }, { idempotencyKey: key }), /^TypeError: `idempotencyKey`/)
  }
  for (const ifMatch of ['', '"a" ', '"a"\n', null, undefined, 1, true]) {
    await assert.rejects(client.groups.update(group.id, {}, { ifMatch }), /^TypeError: `ifMatch`/)
    await assert.rejects(client.groups.delete(group.id, { ifMatch }), /^TypeError: `ifMatch`/)
  }
  assert.deepEqual(requests, [])
  const sent = { archived_at: null, contacts: [null], name: undefined }
  await client.groups.update(group.id, sent)
  assert.equal(requests[0].body, '{"archived_at":null,"contacts":[null]}')
})

test('a request has the necessary headers', async () => {
  const { client, requests } = createRecordingClient(200, JSON.stringify(group))
  await client.groups.create({ name: 'a' })
  await client.groups.update(group.id, {}, { ifMatch: '"a"' })
  await client.groups.get(group.id)
  const [create, update, get] = requests.map(({ headers }) => Object.fromEntries(headers))
  const { version } = JSON.parse(readFileSync('package.json'))
  const common = { authorization: `Bearer ${token}`, 'user-agent': `protocol-api-javascript/${version}` }
  const { 'idempotency-key': key, ...others } = create
  assert.match(key, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  assert.deepEqual(others, { ...common, 'content-type': 'application/json' })
  assert.deepEqual(update, { ...common, 'content-type': 'application/json', 'if-match': '"a"' })
  assert.deepEqual(get, common)
})

test('the delays are random, double up to 8 seconds, and are Retry-After up to 30 seconds', async (t) => {
  const delays = []
  t.mock.method(globalThis, 'setTimeout', (callback, delay) => {
    delays.push(delay)
    queueMicrotask(callback)
  })
  const random = t.mock.method(Math, 'random', () => 1)
  const delaysOf = async (headers, retries) => {
    delays.length = 0
    const { client } = createRecordingClient(503, '', headers, { retries })
    await assert.rejects(client.groups.list(), ApiError)
    return [...delays]
  }
  assert.deepEqual(await delaysOf({}, 6), [500, 1_000, 2_000, 4_000, 8_000, 8_000])
  assert.deepEqual(await delaysOf({ 'retry-after': '2' }, 4), [2_000, 2_000, 2_000, 4_000])
  assert.deepEqual(await delaysOf({ 'retry-after': '3600' }, 1), [30_000])
  assert.deepEqual(await delaysOf({ 'retry-after': '9'.repeat(400) }, 1), [30_000])
  assert.deepEqual(await delaysOf({ 'retry-after': 'Tue, 24 Nov 2026 12:00:00 GMT' }, 1), [500])
  assert.deepEqual(await delaysOf({}, 0), [])
  random.mock.mockImplementation(() => 0.25)
  assert.deepEqual(await delaysOf({}, 2), [125, 250])
})

test('an update with ifMatch is retried if no connection could be made', async () => {
  let attempts = 0
  const fetch = (...request) => {
    attempts++
    return globalThis.fetch(...request)
  }
  const client = createClient({ baseUrl: await findClosedPort(), fetch, retries: 1 })
  await assert.rejects(client.groups.update(group.id, {}, { ifMatch: '"a"' }), ConnectionError)
  assert.equal(attempts, 2)
})

test('unexpected responses are errors', async () => {
  const cases = [
    [200, '', /^The response with status 200 is not from the API\. If it persists, check the base URL\.$/],
    [200, '{', /status 200/],
    [200, 'null', /status 200/],
    [200, '[]', /status 200/],
    [200, '{"message":"Hello","code":"group_not_found"}', /status 200/],
    [200, '{"id":"a"}', /status 200/],
    [200, '{"id":1,"contacts":[]}', /status 200/],
    [200, '{"id":"a","contacts":null}', /status 200/],
    [200, '['.repeat(200_000) + ']'.repeat(200_000), /status 200/],
    [404, '['.repeat(200_000) + ']'.repeat(200_000), /status 404/],
    [404, '', /status 404/],
    [404, '<h1>Not found</h1>', /status 404/],
    [404, '"Not found"', /status 404/],
    [404, '{"message":1,"code":{}}', /status 404/],
    [403, '{"message":"Forbidden"}', /^Forbidden$/],
  ]
  for (const [status, body, message] of cases) {
    const { client } = createRecordingClient(status, body, { 'apigw-requestid': 'a' })
    const { groups } = client
    const calls = [groups.get('a'), groups.create({}), groups.update('a', {}), groups.list()]
    for (const { reason } of await Promise.allSettled(calls)) {
      assert.ok(reason instanceof ApiError && reason instanceof ProtocolError)
      assert.match(reason.message, message)
      const unknown = { type: null, code: null, param: null, documentation_url: null }
      assert.deepEqual({ ...reason }, { status, request_id: 'a', ...unknown })
    }
  }
  for (const [status, body] of [[200, '<h1>Sign in</h1>'], [200, ''], [202, '']]) {
    await assert.rejects(createRecordingClient(status, body).client.groups.delete('a'), { name: 'ApiError', status })
  }
  for (const body of ['{"data":[]}', '{"has_more":false,"data":[{}]}', '{"has_more":false,"data":""}']) {
    await assert.rejects(createRecordingClient(200, body).client.groups.list(), ApiError, body)
  }
})

test('a page from which the next page would be the same is an error', async () => {
  const other = { ...group, id: 'a' }
  const { client: empty } = createRecordingClient(200, JSON.stringify({ has_more: true, data: [] }))
  const page = JSON.stringify({ has_more: true, data: [other, group] })
  const { client: repeating, requests } = createRecordingClient(200, page)
  await assert.rejects(empty.groups.list(), ApiError)
  await assert.rejects(repeating.groups.list({ starting_after: group.id }), ApiError)
  await assert.rejects(repeating.groups.list({ ending_before: other.id }), ApiError)
  await assert.rejects(collect(repeating.groups.iterate()), ApiError)
  await assert.rejects(collect(repeating.groups.iterate({ ending_before: '0' })), ApiError)
  assert.equal(requests.length, 6)
  assert.equal((await repeating.groups.list({ starting_after: other.id })).data.length, 2)
})

test('an abort by the signal of the caller is not retried', async () => {
  let attempts = 0
  const fetch = async (url, init) => {
    attempts++
    return globalThis.fetch(url, { ...init, signal: AbortSignal.abort() })
  }
  await assert.rejects(createClient({ fetch }).groups.list(), { name: 'AbortError' })
  assert.equal(attempts, 1)
})

test('a token that a server repeats is not in the error', async () => {
  const names = ['message', 'type', 'code', 'param', 'documentation_url']
  const body = JSON.stringify(Object.fromEntries(names.map((name) => [name, `Bearer ${token}`])))
  const { client } = createRecordingClient(403, body, { 'x-request-id': token })
  const error = await client.groups.list().then(assert.fail, (error) => error)
  assert.deepEqual(names.map((name) => error[name]), Array(5).fill('Bearer ***'))
  assert.equal(error.request_id, '***')
})

test('a group may have members that the client does not know', async () => {
  const { client } = createRecordingClient(200, JSON.stringify({ ...group, color: 'red' }))
  assert.equal((await client.groups.get(group.id)).color, 'red')
})

test('a redirect is not followed', async (t) => {
  let redirected = 0
  const target = await startServer(t, (request, response) => response.end(String(++redirected)))
  for (const status of [301, 302, 303, 307, 308]) {
    const baseUrl = await startServer(t, (request, response) => response.writeHead(status, { location: target }).end())
    const { groups } = createClient({ baseUrl })
    const calls = [groups.list(), groups.create({}), groups.update('a', {}), groups.delete('a')]
    for (const { reason } of await Promise.allSettled(calls)) {
      assert.ok(reason instanceof ApiError)
      assert.equal(reason.status, status)
    }
  }
  assert.equal(redirected, 0)
})

test('the time-out includes the body', async (t) => {
  const baseUrl = await startServer(t, (request, response) => response.writeHead(200).write('{'))
  const client = createClient({ baseUrl, timeout: 200, retries: 0 })
  await assert.rejects(client.groups.list(), TimeoutError)
})

test('a body that is cut off is a connection error', async (t) => {
  const baseUrl = await startServer(t, (request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy())
  })
  await assert.rejects(createClient({ baseUrl, retries: 0 }).groups.list(), ConnectionError)
})

test('a token that cannot be sent is rejected, and not shown', () => {
  for (const invalid of ['', ' ', `${token}\n`, `${token} `, `${token}ä`, `${token}\0`, undefined, null, 1, [token]]) {
    assert.throws(
      () => new ApiClient(invalid),
      (error) => error instanceof TypeError && !inspect(error).includes(token),
    )
  }
})

test('the token is in no representation of a client or an error', async (t) => {
  // The server responds with each status code once, and then only closes connections.
  const statuses = [200, 302, 400, 401, 404, 500]
  const baseUrl = await startServer(t, (request, response) => {
    const status = statuses.shift()
    return status ? response.writeHead(status).end('x') : response.destroy()
  })
  const client = createClient({ baseUrl, retries: 0 })
  const objects = [client, client.groups]
  for (let request = 0; request < 7; request++) {
    objects.push(await client.groups.list().then(assert.fail, (error) => error))
  }
  const closed = await findClosedPort()
  const silent = await startServer(t, () => {})
  for (const baseUrl of [closed, silent]) {
    const { groups } = createClient({ baseUrl, timeout: 50, retries: 0 })
    objects.push(await groups.list().then(assert.fail, (error) => error))
  }
  assert.equal(objects.length, 11)
  for (const object of objects) {
    const text = [
      inspect(object, { depth: Infinity, showHidden: true, getters: true }),
      JSON.stringify(object),
      String(object),
      object.stack,
      serialize(object instanceof Error ? object : { ...object, groups: undefined }).toString('latin1'),
      Object.getOwnPropertyNames(object).map((name) => String(object[name])),
    ].join()
    assert.ok(!text.includes(token), text)
  }
  const script = `
    import ApiClient from '@example/protocol-api'
    const client = new ApiClient(process.env.GROUPS_TOKEN, { baseUrl: '${closed}', retries: 0 })
    console.log(client, client.groups)
    await client.groups.list()`
  assert.throws(
    () => execFileSync(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'pipe' }),
    ({ stdout, stderr }) => {
      assert.match(String(stdout), /ApiClient/)
      assert.match(String(stderr), /ConnectionError: The connection failed/)
      return !`${stdout}${stderr}`.includes(token)
    },
  )
})
