// Uses the client that openapi-generator generates for TypeScript.

import assert from 'node:assert/strict'
import { AnyErrorFromJSON, Configuration, GroupsApi, ResponseError } from './typescript-fetch/src/index'

async function main() {
  const api = new GroupsApi(
    new Configuration({ basePath: process.env.GROUPS_URL, accessToken: process.env.GROUPS_TOKEN }),
  )
  const created = await api.createGroup({
    groupInput: { name: 'Ünïcödé', description: 'a', contacts: [{ username: 'Hector' }] },
  })
  const { id } = created
  assert.deepEqual(await api.getGroup({ id }), created)
  assert.deepEqual(created.contacts.map(contact => contact.username), ['Hector'])
  const updated = await api.updateGroup({ id, groupChanges: { name: 'Renamed', description: null, contacts: [] } })
  assert.deepEqual([updated.name, updated.description, updated.contacts], ['Renamed', null, []])
  const archived = await api.updateGroup({ id, groupChanges: { archivedAt: 2 ** 32 } })
  assert.equal(archived.archivedAt, 2 ** 32)
  const page = await api.listGroups({ limit: 1 })
  assert.ok(page.hasMore)
  assert.deepEqual(page.data, [archived])
  const next = await api.listGroups({ limit: 1, startingAfter: id })
  assert.notEqual(next.data[0]!.id, id)
  await api.deleteGroup({ id })
  const error: ResponseError = await api.getGroup({ id }).then(() => assert.fail('the group is still there'), reason => reason)
  assert.equal(AnyErrorFromJSON(await error.response.json()).code, 'new_code')
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
