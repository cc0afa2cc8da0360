// The calls and the errors of the API.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { ApiError } from '@example/protocol-api'

import { collect, createClient, token, url } from './support.js'

const client = createClient()

function failsWith(status, code, param = null) {
  return (error) => {
    assert.ok(error instanceof ApiError)
    assert.deepEqual([error.status, error.code, error.param], [status, code, param])
    assert.equal(error.type, 'invalid_request')
    assert.equal(error.documentation_url, 'https://protocol.chat/docs/errors/invalid_request')
    assert.ok(error.request_id)
    assert.ok(error.message.length > 10)
    return true
  }
}

test('a group is created, retrieved, changed, archived, listed and deleted', async () => {
  const created = await client.groups.create({ name: 'Plaza Hotel', contacts: [{ username: 'Hector' }] })
  assert.equal(created.contacts[0].username, 'Hector')
  assert.deepEqual(await client.groups.get(created.id), created)
  assert.deepEqual(await client.groups.update(created.id, {}), created)

  const contacts = [...created.contacts, { username: 'Cedric' }]
  const changes = { description: 'World-renowned.', contacts, archived_at: 692233200 }
  const changed = await client.groups.update(created.id, changes)
  assert.equal(changed.name, 'Plaza Hotel')
  assert.equal(changed.description, 'World-renowned.')
  assert.deepEqual(changed.contacts.map((contact) => contact.username), ['Hector', 'Cedric'])

  const ids = async (archived) => (await collect(client.groups.iterate({ archived }))).map((group) => group.id)
  // A list with this filter may lag.
  const deadline = Date.now() + 10_000
  while (!(await ids(true)).includes(created.id) || (await ids(false)).includes(created.id)) {
    assert.ok(Date.now() < deadline)
  }
  assert.ok((await ids(undefined)).includes(created.id))

  const cleared = await client.groups.update(created.id, { description: null, contacts: [], archived_at: null })
  assert.deepEqual([cleared.description, cleared.contacts, cleared.archived_at], [null, [], null])
  assert.equal(await client.groups.delete(created.id), undefined)
  await assert.rejects(client.groups.get(created.id), failsWith(404, 'group_not_found'))
})

test('the ETag and the request id do not change what a group looks like', async () => {
  const group = await client.groups.create({ name: 'Plaza Hotel' })
  assert.match(group.etag, /^"[0-9A-Za-z]{16}"$/)
  assert.ok(group.request_id)
  assert.deepEqual(
    Object.keys(group),
    ['id', 'name', 'description', 'avatar_url', 'conversation_id', 'contacts', 'created_at', 'archived_at'],
  )
  const page = await client.groups.list({ limit: 1 })
  assert.ok(page.request_id)
  assert.deepEqual(Object.keys(page), ['has_more', 'data'])
})

test('a page has ten groups by default, and as many as `limit` says', async () => {
  assert.equal((await client.groups.list()).data.length, 10)
  const { data, has_more } = await client.groups.list({ limit: 3, archived: null, starting_after: undefined })
  assert.deepEqual([data.length, has_more], [3, true])
  const older = await client.groups.list({ limit: 1, starting_after: data[1].id })
  assert.equal(older.data[0].id, data[2].id)
  const newer = await client.groups.list({ limit: 1, ending_before: data[2].id })
  assert.equal(newer.data[0].id, data[1].id)
})

test('250 groups are iterated in both directions', async () => {
  const name = `Paging ${randomUUID()}`
  const [{ id: before }] = (await client.groups.list({ limit: 1 })).data
  for (let created = 0; created < 250; created += 10) {
    await Promise.all(Array.from({ length: 10 }, () => client.groups.create({ name })))
  }
  const ids = async (parameters) =>
    (await collect(client.groups.iterate(parameters))).filter((group) => group.name === name).map((group) => group.id)

  const fromNewest = await ids()
  assert.equal(new Set(fromNewest).size, 250)
  assert.deepEqual(fromNewest, [...fromNewest].sort().reverse())
  assert.deepEqual(await ids({ limit: 7 }), fromNewest)
  assert.deepEqual(await ids({ limit: 7, starting_after: fromNewest[9] }), fromNewest.slice(10))

  const fromOldest = [...fromNewest].reverse()
  assert.deepEqual(await ids({ ending_before: before }), fromOldest)
  assert.deepEqual(await ids({ ending_before: '0'.repeat(16), limit: 7 }), fromOldest)
  assert.deepEqual(await ids({ ending_before: fromOldest[9] }), fromOldest.slice(10))
})

test('Unicode and 1,000 contacts are kept', async () => {
  const name = 'Plaza 🏨 Ho\u0302tel \u{10FFFF} عربى "\\%+&='
  const display_name = '日本語 👩‍👩‍👧'
  const contacts = Array.from({ length: 1000 }, (_, index) => ({ username: `Zoë-${index}`, display_name }))
  const created = await client.groups.create({ name, description: 'a\tb\r\nc', contacts })
  const group = await client.groups.get(created.id)
  assert.deepEqual([group.name, group.description], [name, 'a\tb\r\nc'])
  assert.deepEqual(group.contacts.map(({ username, display_name }) => ({ username, display_name })), contacts)
  const updated = await client.groups.update(group.id, { contacts: group.contacts })
  assert.deepEqual(updated.contacts, group.contacts)
})

test('ifMatch protects the changes of others', async () => {
  const group = await client.groups.create({ name: 'Plaza Hotel' })
  const changed = await client.groups.update(group.id, { name: 'Ritz' }, { ifMatch: group.etag })
  assert.notEqual(changed.etag, group.etag)
  const stale = { ifMatch: group.etag }
  await assert.rejects(client.groups.update(group.id, { name: 'Savoy' }, stale), failsWith(412, 'precondition_failed'))
  await assert.rejects(client.groups.delete(group.id, stale), failsWith(412, 'precondition_failed'))
  assert.equal((await client.groups.get(group.id)).name, 'Ritz')
  await client.groups.delete(group.id, { ifMatch: changed.etag })
})

test('ifMatch without a tag is rejected, and protects the groups of a list', async () => {
  const [group] = (await client.groups.list({ limit: 1 })).data
  for (const ifMatch of [group.etag, null, 1]) {
    await assert.rejects(client.groups.update(group.id, { name: 'Ritz' }, { ifMatch }), TypeError)
    await assert.rejects(client.groups.delete(group.id, { ifMatch }), TypeError)
  }
  assert.equal((await client.groups.get(group.id)).name, group.name)
})

test('an idempotency key creates one group', async () => {
  const idempotencyKey = randomUUID()
  const first = await client.groups.create({ name: 'Plaza Hotel' }, { idempotencyKey })
  const second = await client.groups.create({ name: 'Plaza Hotel' }, { idempotencyKey })
  assert.deepEqual(second, first)
  await assert.rejects(
    client.groups.create({ name: 'Ritz' }, { idempotencyKey }),
    failsWith(422, 'idempotency_key_reused'),
  )
  const third = await client.groups.create({ name: 'Plaza Hotel' }, { idempotencyKey: null })
  const fourth = await client.groups.create({ name: 'Plaza Hotel' }, { idempotencyKey: null })
  assert.notEqual(third.id, fourth.id)
  await assert.rejects(
    client.groups.create({ name: 'Plaza Hotel' }, { idempotencyKey: 'a,b' }),
    failsWith(400, 'repeated', 'Idempotency-Key'),
  )
})

test('the errors of the API are reported', async () => {
  const { groups } = client
  const name = 'Plaza Hotel'
  const twice = [{ username: 'Hector' }, { username: 'Hector' }]
  const large = { name, description: 'x'.repeat(2 ** 20) }
  await assert.rejects(groups.create(), failsWith(400, 'missing', 'name'))
  await assert.rejects(groups.delete('a', { ifMatch: 'a' }), failsWith(400, 'invalid', 'If-Match'))
  await assert.rejects(groups.create({ name, color: 'red' }), failsWith(400, 'unknown', 'color'))
  await assert.rejects(groups.create({ name, contacts: twice }), failsWith(400, 'repeated', 'contacts[1].username'))
  await assert.rejects(groups.create({ name: '' }), failsWith(400, 'invalid', 'name'))
  await assert.rejects(groups.create({ name: '\ud800' }), failsWith(400, 'malformed_body'))
  await assert.rejects(groups.create(large), failsWith(413, 'body_too_large'))
  await assert.rejects(groups.list({ limit: 0 }), failsWith(400, 'invalid', 'limit'))
  await assert.rejects(groups.list({ starting_after: '' }), failsWith(400, 'invalid', 'starting_after'))
  await assert.rejects(groups.list({ page: 2 }), failsWith(400, 'unknown', 'page'))
  const cursors = { starting_after: '0'.repeat(16), ending_before: '0'.repeat(16) }
  await assert.rejects(collect(groups.iterate(cursors)), failsWith(400, 'invalid', 'ending_before'))
  await assert.rejects(createClient({ baseUrl: `${url}/api` }).groups.list(), failsWith(404, 'path_not_found'))
})

test('the errors of tokens are reported', async () => {
  const withToken = (other) => new client.constructor(other, { baseUrl: url }).groups.list()
  await assert.rejects(withToken(`${token}x`), failsWith(401, 'token_invalid'))
  await assert.rejects(withToken('a"b'), failsWith(400, 'token_malformed'))
})

test('an id is part of the path, whatever it contains', async () => {
  for (const id of ['a/b', '../groups', '..%2f', '%2e%2e', '?limit=1', '#', 'ä', ' ']) {
    for (const method of ['get', 'update', 'delete']) {
      await assert.rejects(client.groups[method](id, {}), failsWith(404, 'group_not_found'), id)
    }
  }
})
