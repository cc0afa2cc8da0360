// `tsc` checks this file with the declarations of the ES module. It never runs.

import DefaultClient, { ApiClient, ApiError, ConnectionError, ProtocolError, TimeoutError } from '@example/protocol-api'
import type { Contact, Group, GroupChanges, ListParameters, NewGroup, Page } from '@example/protocol-api'

const client: ApiClient = new DefaultClient('token')
new ApiClient('token', { baseUrl: 'https://api.example', timeout: 1_000, retries: 0, fetch })

const parameters: ListParameters = { limit: 10, archived: true, starting_after: 'a' }
const page: Page = await client.groups.list(parameters)
const hasMore: boolean = page.has_more
const group: Group | undefined = page.data[0]
const newGroup: NewGroup = { name: 'Plaza Hotel', description: null, contacts: [{ username: 'Hector' }] }
const created = await client.groups.create(newGroup, { idempotencyKey: 'a' })
const etag: string = created.etag
const requestId: string | null = created.request_id
const contact: Contact | undefined = created.contacts[0]
const seen: number | null | undefined = contact?.last_active_at
const changes: GroupChanges = { archived_at: 692233200, contacts: created.contacts }
await client.groups.update(created.id, changes, { ifMatch: etag })
const nothing: void = await client.groups.delete(created.id, { ifMatch: etag })
for await (const { id, archived_at } of client.groups.iterate({ ending_before: 'a' })) {
  const text: string = id
  const time: number | null = archived_at
}

function report(error: unknown): string | null {
  if (error instanceof ApiError) {
    const code: string = 'group_not_found'
    const status: number = error.status
    return error.code === code ? error.request_id : error.documentation_url
  }
  if (error instanceof ConnectionError || error instanceof TimeoutError) {
    return error.message
  }
  return error instanceof ProtocolError ? error.name : null
}

// @ts-expect-error: the token is required.
new ApiClient()
// @ts-expect-error: there is no such option.
new ApiClient('token', { baseURL: 'https://api.example' })
// @ts-expect-error: there is no such parameter.
await client.groups.list({ page: 2 })
// @ts-expect-error: the name is required.
await client.groups.create({})
// @ts-expect-error: a new group cannot be archived.
await client.groups.create({ name: 'Plaza Hotel', archived_at: 692233200 })
// @ts-expect-error: the username is required.
await client.groups.update('a', { contacts: [{ display_name: 'Hector' }] })
// @ts-expect-error: the name cannot be null.
await client.groups.update('a', { name: null })
// @ts-expect-error: the groups of a list have no ETag.
page.data[0]?.etag
