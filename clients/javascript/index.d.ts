// The types of requests and responses are those of the operations in openapi.yaml; `npm run generate` updates them.
import type { operations } from './openapi.cjs'

type Json<T extends { content: { 'application/json': unknown } }> = T['content']['application/json']

/** A group. All members are always present. */
export type Group = Json<operations['getGroup']['responses'][200]>
/** A member of a group. A contact can be sent back as it was received. */
export type Contact = Group['contacts'][number]
/** A page of groups, newest first. `has_more` is about the direction of travel. */
export type Page = Json<operations['listGroups']['responses'][200]>
/** What creates a group. */
export type NewGroup = Json<operations['createGroup']['requestBody']>
/** What changes a group. Absent members do not change, and null clears a member. */
export type GroupChanges = Json<NonNullable<operations['updateGroup']['requestBody']>>
/** Which groups a list contains. */
export type ListParameters = NonNullable<operations['listGroups']['parameters']['query']>

/** The id of the request. The property is not enumerable. */
export interface WithRequestId {
  /** Include it if you report a problem. */
  readonly request_id: string | null
}

/** The ETag of the group, and the id of the request. The properties are not enumerable. */
export interface WithETag extends WithRequestId {
  /** The version of the group, for `ifMatch`. */
  readonly etag: string
}

export interface ClientOptions {
  /** By default, the environment variable PROTOCOL_BASE_URL or, if it is not set, `https://api.protocol.chat`. */
  baseUrl?: string
  /** The milliseconds for each attempt, including the body of the response; 30,000 by default. */
  timeout?: number
  /** How often a request is sent again if that may help and is safe; 2 by default. */
  retries?: number
  /** Replaces the global `fetch`, for example to use a proxy. */
  fetch?: typeof globalThis.fetch
}

export interface CreateOptions {
  /** Makes it safe to repeat the request; a random UUID by default. */
  idempotencyKey?: string
}

export interface WriteOptions {
  /** The ETag of the group. If the group has changed since, the request fails with status 412. */
  ifMatch?: string
}

export interface Groups {
  /** Returns a page of groups, newest first. */
  list(parameters?: ListParameters | null): Promise<Page & WithRequestId>
  /**
   * Iterates over all groups, from newer to older ones or, with `ending_before`, from older to newer ones. `limit` is
   * the size of a page; 100 by default.
   */
  iterate(parameters?: ListParameters | null): AsyncGenerator<Group, void, undefined>
  /** Creates a group. */
  create(group: NewGroup, options?: CreateOptions): Promise<Group & WithETag>
  /** Retrieves a group. */
  get(id: string): Promise<Group & WithETag>
  /** Changes the given members of a group. */
  update(id: string, changes: GroupChanges, options?: WriteOptions): Promise<Group & WithETag>
  /** Deletes a group permanently. */
  delete(id: string, options?: WriteOptions): Promise<void>
}

/** The client of an account. */
export class ApiClient {
  constructor(token: string, options?: ClientOptions)
  readonly groups: Groups
}

export default ApiClient

/** The base class of all errors of requests. */
export class ProtocolError extends Error {}

/** There is no response, because the connection could not be made or was lost. */
export class ConnectionError extends ProtocolError {}

/** The response did not arrive within the time-out. */
export class TimeoutError extends ProtocolError {}

/** The response is an error of the API or of a server in front of it, or it is not what the API responds. */
export class ApiError extends ProtocolError {
  private constructor()
  readonly status: number
  /** Who is at fault, the caller or the service; null if the response is not from the API. */
  readonly type: 'invalid_request' | 'api_error' | (string & {}) | null
  /** A stable code for programs; null if the response is not from the API. */
  readonly code: string | null
  /** The member, parameter or header at fault. */
  readonly param: string | null
  readonly documentation_url: string | null
  /** Include it if you report a problem. */
  readonly request_id: string | null
}
