// Retries of requests to the API, with a proxy that injects faults.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { ApiError, ConnectionError, TimeoutError } from '@example/protocol-api'

import { collect, createClient, startProxy } from './support.js'

const direct = createClient()

/** Returns a client whose requests have these faults, and a function that returns the requests. */
async function createFaultyClient(t, ...faults) {
  const { baseUrl, stop } = await startProxy(t, ...faults)
  return { client: createClient({ baseUrl, timeout: 1_000 }), stop }
}

async function countGroups(name) {
  return (await collect(direct.groups.iterate())).filter((group) => group.name === name).length
}

for (const fault of ['503', '429', '408', '500', '502', '504', 'unknown', 'html', 'close', 'lose', 'slow:1.5']) {
  test(`a list is retried after ${fault}`, async (t) => {
    const { client, stop } = await createFaultyClient(t, fault, fault)
    assert.equal((await client.groups.list({ limit: 2 })).data.length, 2)
    assert.deepEqual(await stop(), Array(3).fill('GET /v1/groups?limit=2'))
  })
}

test('Retry-After delays the next attempt', async (t) => {
  const { client, stop } = await createFaultyClient(t, '503:2', '429:2')
  const start = performance.now()
  await client.groups.list()
  assert.ok(performance.now() - start >= 3_900)
  assert.equal((await stop()).length, 3)
})

test('the error of the third attempt is reported', async (t) => {
  const { client, stop } = await createFaultyClient(t, 'close', 'slow:1.5', '503:1')
  await assert.rejects(client.groups.list(), (error) => {
    assert.ok(error instanceof ApiError)
    assert.deepEqual([error.status, error.type, error.code], [503, 'api_error', 'unavailable'])
    return true
  })
  assert.equal((await stop()).length, 3)
})

test('connection errors and time-outs differ', async (t) => {
  const { baseUrl, stop } = await startProxy(t, 'close', 'slow:1.5')
  const client = createClient({ baseUrl, timeout: 1_000, retries: 0 })
  await assert.rejects(client.groups.list(), (error) => {
    assert.equal(error.message, 'The connection failed. Check the network and the base URL.')
    return error instanceof ConnectionError && error.cause instanceof Error
  })
  await assert.rejects(client.groups.list(), (error) => {
    assert.equal(error.message, 'There was no complete response within 1000 ms. Try again later.')
    return error instanceof TimeoutError
  })
  assert.equal((await stop()).length, 2)
})

test('other errors are not retried', async (t) => {
  const { client, stop } = await createFaultyClient(t, '403', 'garbage', '501')
  for (const status of [403, 200, 501]) {
    await assert.rejects(client.groups.list(), (error) => error instanceof ApiError && error.status === status)
  }
  assert.equal((await stop()).length, 3)
})

for (const fault of ['lose', 'slow:1.5']) {
  test(`a create with ${fault} creates one group`, async (t) => {
    const { client, stop } = await createFaultyClient(t, fault, fault)
    const name = `Created once ${randomUUID()}`
    const group = await client.groups.create({ name })
    assert.equal(group.name, name)
    assert.equal(await countGroups(name), 1)
    assert.deepEqual(await stop(), Array(3).fill('POST /v1/groups'))
  })
}

test('an update without ifMatch is retried if its response is lost', async (t) => {
  const { client, stop } = await createFaultyClient(t, 'lose')
  const { id } = await direct.groups.create({ name: 'Plaza Hotel' })
  assert.equal((await client.groups.update(id, { name: 'Ritz' })).name, 'Ritz')
  assert.equal((await stop()).length, 2)
})

const unknownOutcomes = { lose: ConnectionError, close: ConnectionError, 'slow:1.5': TimeoutError }
for (const fault of ['lose', 'slow:1.5', 'close', 'unknown', '500', '502', '504', 'html']) {
  test(`an update with ifMatch is not retried after ${fault}`, async (t) => {
    const { client, stop } = await createFaultyClient(t, fault)
    const { id, etag } = await direct.groups.create({ name: 'Plaza Hotel' })
    const update = client.groups.update(id, { name: 'Ritz' }, { ifMatch: etag })
    await assert.rejects(update, unknownOutcomes[fault] ?? ApiError)
    assert.deepEqual(await stop(), [`PUT /v1/groups/${id}`])
    const isForwarded = fault === 'lose' || fault === 'slow:1.5'
    assert.equal((await direct.groups.get(id)).name, isForwarded ? 'Ritz' : 'Plaza Hotel')
  })
}

test('an update with ifMatch is retried if no change was made', async (t) => {
  const { client, stop } = await createFaultyClient(t, '503', '408')
  const { id, etag } = await direct.groups.create({ name: 'Plaza Hotel' })
  assert.equal((await client.groups.update(id, { name: 'Ritz' }, { ifMatch: etag })).name, 'Ritz')
  assert.equal((await stop()).length, 3)
})

test('an update with ifMatch is not retried again once a change may have been made', async (t) => {
  const { client, stop } = await createFaultyClient(t, '429', 'lose')
  const { id, etag } = await direct.groups.create({ name: 'Plaza Hotel' })
  await assert.rejects(client.groups.update(id, { name: 'Ritz' }, { ifMatch: etag }), ConnectionError)
  assert.equal((await stop()).length, 2)
})

for (const faults of [['lose'], ['slow:1.5'], ['lose', '503']]) {
  test(`a delete with ${faults} that meets a 404 has succeeded`, async (t) => {
    for (const withIfMatch of [false, true]) {
      const { client, stop } = await createFaultyClient(t, ...faults)
      const { id, etag } = await direct.groups.create({ name: 'Plaza Hotel' })
      await client.groups.delete(id, withIfMatch ? { ifMatch: etag } : {})
      assert.deepEqual(await stop(), Array(faults.length + 1).fill(`DELETE /v1/groups/${id}`))
      await assert.rejects(direct.groups.get(id), { code: 'group_not_found' })
    }
  })
}

test('a delete that meets a 404 has failed if no earlier attempt can have succeeded', async (t) => {
  const { client, stop } = await createFaultyClient(t, '503', '429')
  const { id } = await direct.groups.create({ name: 'Plaza Hotel' })
  await direct.groups.delete(id)
  await assert.rejects(client.groups.delete(id), { code: 'group_not_found' })
  assert.equal((await stop()).length, 3)
  const { client: other } = await createFaultyClient(t, 'lose', '404')
  await assert.rejects(other.groups.delete(id), { status: 404, code: null })
})
