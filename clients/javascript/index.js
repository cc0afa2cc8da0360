/** A client of the groups API, for browsers, Node.js and other runtimes with `fetch`. README.md shows how to use it. */

const VERSION = '0.1.0'
const RETRIED_STATUSES = [408, 429, 500, 502, 503, 504]
const BASE_DELAY = 500
const MAX_DELAY = 8_000
const MAX_RETRY_AFTER = 30
// The time-out is a timer, and the delay of a timer is a signed 32-bit integer.
const MAX_TIMEOUT = 2 ** 31 - 1
// The codes with which Node.js reports that no connection was made. Browsers do not report it.
const NOT_CONNECTED = ['EAI_AGAIN', 'ECONNREFUSED', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT']

/** The base class of all errors of requests. */
export class ProtocolError extends Error {
  static {
    this.prototype.name = 'ProtocolError'
  }
}

/** There is no response, because the connection could not be made or was lost. */
export class ConnectionError extends ProtocolError {
  static {
    this.prototype.name = 'ConnectionError'
  }
}

/** The response did not arrive within the time-out. */
export class TimeoutError extends ProtocolError {
  static {
    this.prototype.name = 'TimeoutError'
  }
}

/** The response is an error of the API or of a server in front of it, or it is not what the API responds. */
export class ApiError extends ProtocolError {
  static {
    this.prototype.name = 'ApiError'
  }

  constructor({ status, headers }, body) {
    const text = (name) => (typeof body?.[name] === 'string' ? body[name] : null)
    super(text('message') ?? `The response with status ${status} is not from the API. Check the base URL.`)
    this.status = status
    this.type = text('type')
    this.code = text('code')
    this.param = text('param')
    this.documentation_url = text('documentation_url')
    this.request_id = requestId(headers)
    this.retry_after = /^\d+$/.test(headers.get('retry-after')) ? Number(headers.get('retry-after')) : null
  }
}

/** The client of an account. */
export class ApiClient {
  // Private, so that no inspection or serialization of the client shows the token.
  #headers
  #baseUrl
  #timeout
  #retries
  #fetch

  constructor(token, options = {}) {
    const { baseUrl, timeout = 30_000, retries = 2, fetch = globalThis.fetch } = options
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
      throw new TypeError('The token must be a string of visible ASCII characters without spaces.')
    }
    if (!Number.isInteger(timeout) || timeout < 1 || timeout > MAX_TIMEOUT) {
      throw new TypeError('`timeout` must be a positive integer of milliseconds.')
    }
    if (!Number.isInteger(retries) || retries < 0) {
      throw new TypeError('`retries` must be 0 or a positive integer.')
    }
    const { process } = globalThis
    this.#headers = { authorization: `Bearer ${token}` }
    if (process?.versions?.node) {
      this.#headers['user-agent'] = `protocol-api-javascript/${VERSION}`
    }
    this.#baseUrl = parseBaseUrl(baseUrl ?? (process?.env?.PROTOCOL_BASE_URL || 'https://api.protocol.chat'))
    this.#timeout = timeout
    this.#retries = retries
    this.#fetch = fetch
    this.groups = new Groups((...request) => this.#send(...request))
  }

  /** Sends a request, again if that may help and is safe, and returns the body of the response. */
  async #send(method, path, { headers, body, isExpected }) {
    const json = JSON.stringify(body, checkNumber)
    const init = { method, body: json, headers: new Headers({ ...this.#headers, ...headers }), redirect: 'manual' }
    if (json !== undefined) {
      init.headers.set('content-type', 'application/json')
    }
    // If an update with If-Match was made, another attempt would report that the group has changed.
    const isRepeatable = method !== 'PUT' || !init.headers.has('if-match')
    let mayBeDone = false
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(path, init, isExpected)
      } catch (error) {
        if (method === 'DELETE' && mayBeDone && error.code === 'group_not_found') {
          return undefined
        }
        mayBeDone ||= isOutcomeUnknown(error)
        if (attempt >= this.#retries || !isTransient(error) || (mayBeDone && !isRepeatable)) {
          throw error
        }
        await new Promise((resolve) => setTimeout(resolve, retryDelay(error, attempt)))
      }
    }
  }

  async #attempt(path, init, isExpected) {
    const signal = AbortSignal.timeout(this.#timeout)
    // A browser's fetch must not be called as a method of another object.
    const fetch = this.#fetch
    let response, text
    try {
      response = await fetch(this.#baseUrl + path, { ...init, signal })
      text = await response.text()
    } catch (cause) {
      if (signal.aborted) {
        throw new TimeoutError(`There was no complete response within ${this.#timeout} ms. Try again later.`, { cause })
      }
      throw new ConnectionError('The connection failed. Check the network and the base URL.', { cause })
    }
    const body = parseJson(text)
    if (!response.ok || !isExpected(body)) {
      throw new ApiError(response, body)
    }
    return body && withHeaders(body, response.headers)
  }
}

export default ApiClient

/** The groups of an account. */
class Groups {
  #send

  constructor(send) {
    this.#send = send
  }

  async list(parameters = {}) {
    const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null)
    const query = given.length > 0 ? `?${new URLSearchParams(given)}` : ''
    return this.#send('GET', `/v1/groups${query}`, { isExpected: isPage })
  }

  async *iterate({ limit = 100, ...parameters } = {}) {
    const isTowardsNewer = parameters.ending_before !== undefined && parameters.ending_before !== null
    let page
    do {
      page = await this.list({ limit, ...parameters })
      // A page is always newest first.
      const groups = isTowardsNewer ? [...page.data].reverse() : page.data
      yield* groups
      parameters[isTowardsNewer ? 'ending_before' : 'starting_after'] = groups.at(-1)?.id
    } while (page.has_more)
  }

  async create(group, { idempotencyKey } = {}) {
    const headers = { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() }
    return this.#send('POST', '/v1/groups', { headers, body: group, isExpected: isGroup })
  }

  async get(id) {
    return this.#send('GET', groupPath(id), { isExpected: isGroup })
  }

  async update(id, changes, options) {
    return this.#send('PUT', groupPath(id), { headers: ifMatch(options), body: changes, isExpected: isGroup })
  }

  async delete(id, options) {
    await this.#send('DELETE', groupPath(id), { headers: ifMatch(options), isExpected: (body) => body === undefined })
  }
}

function parseBaseUrl(text) {
  const url = new URL(text)
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new TypeError('The base URL must be an http or https URL without credentials, query or fragment.')
  }
  return url.href.replace(/\/+$/, '')
}

function groupPath(id) {
  // An empty id would request the list. fetch resolves `.` and `..`, even if they are percent-encoded.
  if (typeof id !== 'string' || ['', '.', '..'].includes(id)) {
    throw new TypeError('The id of a group must be a string that is not empty, `.` or `..`.')
  }
  return `/v1/groups/${encodeURIComponent(id)}`
}

function ifMatch(options = {}) {
  if (!('ifMatch' in options)) {
    return {}
  }
  // The groups of a list have no ETag. Without this check, `ifMatch: group.etag` would not protect them.
  if (typeof options.ifMatch !== 'string') {
    throw new TypeError('`ifMatch` must be the ETag of a group. Retrieve the group to get it.')
  }
  return { 'if-match': options.ifMatch }
}

/** Rejects NaN and infinities, which JSON.stringify would convert to null: `archived_at: NaN` would restore a group. */
function checkNumber(name, value) {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`\`${name}\` must be a finite number.`)
  }
  return value
}

/** Returns undefined for an empty body, and null for a body that is not JSON. */
function parseJson(text) {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return null
  }
}

function isGroup(body) {
  return typeof body?.id === 'string'
}

/** Whether a body is a page. If more groups follow, a page is never empty. */
function isPage(body) {
  if (!Array.isArray(body?.data) || typeof body.has_more !== 'boolean') {
    return false
  }
  return body.data.every(isGroup) && (body.data.length > 0 || !body.has_more)
}

/** Adds the ETag and the request id as properties that are not enumerable, so that the body can be sent back. */
function withHeaders(body, headers) {
  const etag = headers.get('etag')
  return Object.defineProperties(body, {
    ...(etag !== null && { etag: { value: etag } }),
    request_id: { value: requestId(headers) },
  })
}

/** Returns the request id of the API or, in a response that API Gateway makes by itself, of API Gateway. */
function requestId(headers) {
  return headers.get('x-request-id') ?? headers.get('apigw-requestid')
}

function isTransient(error) {
  return error instanceof ApiError ? RETRIED_STATUSES.includes(error.status) : error instanceof ProtocolError
}

/** Whether the API may have done what was requested. */
function isOutcomeUnknown(error) {
  if (error instanceof ApiError) {
    return error.status >= 500 && error.code !== 'unavailable'
  }
  return !NOT_CONNECTED.includes(error.cause?.cause?.code)
}

/** Returns the milliseconds until the next attempt: a random part of a limit that doubles each time (full jitter). */
function retryDelay(error, attempt) {
  const backoff = Math.random() * Math.min(MAX_DELAY, BASE_DELAY * 2 ** attempt)
  return Math.max(backoff, 1_000 * Math.min(MAX_RETRY_AFTER, error.retry_after ?? 0))
}
