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

// The seconds of Retry-After of an ApiError.
const retryAfters = new WeakMap()

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

  constructor({ ok, status, headers }, body, token) {
    // A server may repeat the token in what it responds.
    const text = (value) => (typeof value === 'string' ? value.replaceAll(token, '***') : null)
    const error = ok ? null : body
    const notFromApi = `The response with status ${status} is not from the API. If it persists, check the base URL.`
    super(text(error?.message) ?? notFromApi)
    this.status = status
    this.type = text(error?.type)
    this.code = text(error?.code)
    this.param = text(error?.param)
    this.documentation_url = text(error?.documentation_url)
    this.request_id = text(requestId(headers))
    const retryAfter = headers.get('retry-after') ?? ''
    retryAfters.set(this, /^\d+$/.test(retryAfter) ? Number(retryAfter) : 0)
  }
}

/** The client of an account. */
export class ApiClient {
  // Private, so that no inspection or serialization of the client shows the token.
  #token
  #baseUrl
  #timeout
  #retries
  #fetch

  constructor(token, options) {
    const names = ['baseUrl', 'timeout', 'retries', 'fetch']
    const { baseUrl, timeout = 30_000, retries = 2, fetch = globalThis.fetch } = checkOptions(options, names)
    const variable = globalThis.process?.env?.PROTOCOL_BASE_URL
    this.#baseUrl = parseBaseUrl(baseUrl ?? (variable || 'https://api.protocol.chat'))
    if (!Number.isInteger(timeout) || timeout < 1 || timeout > MAX_TIMEOUT) {
      throw new TypeError('`timeout` must be a positive integer of milliseconds.')
    }
    if (!Number.isInteger(retries) || retries < 0) {
      throw new TypeError('`retries` must be 0 or a positive integer.')
    }
    if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) {
      throw new TypeError('The token must be a string of visible ASCII characters without spaces.')
    }
    this.#token = token
    this.#timeout = timeout
    this.#retries = retries
    this.#fetch = fetch
    this.groups = new Groups((...request) => this.#send(...request))
  }

  /** Sends a request, again if that may help and is safe, and returns the body of the response. */
  async #send(method, path, { headers, body, isExpected }) {
    const json = JSON.stringify(body, checkValue)
    const init = { method, body: json, headers: new Headers(headers), redirect: 'manual' }
    init.headers.set('authorization', `Bearer ${this.#token}`)
    if (globalThis.process?.versions?.node) {
      init.headers.set('user-agent', `protocol-api-javascript/${VERSION}`)
    }
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
      // The caller's `fetch` has its own signal.
      if (cause?.name === 'AbortError') {
        throw cause
      }
      throw new ConnectionError('The connection failed. Check the network and the base URL.', { cause })
    }
    const body = parseJson(text)
    if (!response.ok || !isExpected(body, response.status)) {
      throw new ApiError(response, body, this.#token)
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

  async list(parameters) {
    const given = Object.entries(parameters ?? {}).filter(([, value]) => value !== undefined && value !== null)
    const query = given.length > 0 ? `?${new URLSearchParams(given)}` : ''
    return this.#send('GET', `/v1/groups${query}`, { isExpected: (body) => isPage(body, parameters ?? {}) })
  }

  async *iterate(parameters) {
    const next = { ...parameters, limit: parameters?.limit ?? 100 }
    const isTowardsNewer = (next.ending_before ?? null) !== null
    let page
    do {
      page = await this.list(next)
      // A page is always newest first.
      const groups = isTowardsNewer ? [...page.data].reverse() : page.data
      yield* groups
      next[isTowardsNewer ? 'ending_before' : 'starting_after'] = groups.at(-1)?.id
    } while (page.has_more)
  }

  async create(group, options) {
    const key = checkOptions(options, ['idempotencyKey']).idempotencyKey ?? crypto.randomUUID()
    if (!isHeaderValue(key)) {
      throw new TypeError('`idempotencyKey` must be a string of visible ASCII characters.')
    }
    return this.#send('POST', '/v1/groups', { headers: { 'idempotency-key': key }, body: group, isExpected: isGroup })
  }

  async get(id) {
    return this.#send('GET', groupPath(id), { isExpected: isGroup })
  }

  async update(id, changes, options) {
    return this.#send('PUT', groupPath(id), { headers: ifMatch(options), body: changes, isExpected: isGroup })
  }

  async delete(id, options) {
    const isExpected = (body, status) => status === 204
    await this.#send('DELETE', groupPath(id), { headers: ifMatch(options), isExpected })
  }
}

/** Returns the options, if all of them are known. There may be none. */
function checkOptions(options, names) {
  const unknown = Object.keys(options ?? {}).filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw new TypeError(`There is no option \`${unknown.join('`, `')}\`. The options are \`${names.join('`, `')}\`.`)
  }
  return options ?? {}
}

function parseBaseUrl(text) {
  if (!/^https?:\/\/[^\s/?#@\\]+(\/[^\s?#\\]*)?$/i.test(text) || !URL.canParse(text)) {
    throw new TypeError(
      'The base URL must be an http or https URL without credentials, query or fragment, such as ' +
        'https://api.protocol.chat.',
    )
  }
  return new URL(text).href.replace(/\/+$/, '')
}

function groupPath(id) {
  // An empty id would request the list. fetch resolves `.` and `..`, even if they are percent-encoded.
  if (typeof id !== 'string' || ['', '.', '..'].includes(id) || /\p{Surrogate}/u.test(id)) {
    throw new TypeError('The id of a group must be a string of Unicode text that is not empty, `.` or `..`.')
  }
  return `/v1/groups/${encodeURIComponent(id)}`
}

function isHeaderValue(value) {
  return typeof value === 'string' && /^[!-~]([ -~]*[!-~])?$/.test(value)
}

function ifMatch(options) {
  if (!('ifMatch' in checkOptions(options, ['ifMatch']))) {
    return {}
  }
  // The groups of a page have no ETag. Without this check, `ifMatch: group.etag` would not protect them.
  if (!isHeaderValue(options.ifMatch)) {
    throw new TypeError('`ifMatch` must be the ETag of a group. Retrieve the group to get it.')
  }
  return { 'if-match': options.ifMatch }
}

/** Rejects what JSON.stringify would convert to null: `archived_at: NaN` would restore a group. */
function checkValue(name, value) {
  const isNoJson = Array.isArray(this) && ['undefined', 'function', 'symbol'].includes(typeof value)
  const isNumber = typeof value === 'number' || value instanceof Number
  const isNull = value === null || isNoJson || (isNumber && !Number.isFinite(Number(value)))
  if (isNull && this[name] !== null) {
    throw new TypeError(`\`${name}\` has a value that JSON does not have. Pass null to clear a member.`)
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
  return typeof body?.id === 'string' && Array.isArray(body.contacts)
}

/** Whether a body is a page from which the next page is another one. */
function isPage(body, { starting_after, ending_before }) {
  if (!Array.isArray(body?.data) || typeof body.has_more !== 'boolean' || !body.data.every(isGroup)) {
    return false
  }
  const cursor = ending_before ?? starting_after
  const last = body.data.at((ending_before ?? null) === null ? -1 : 0)
  return last ? last.id !== cursor : !body.has_more
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
  return Math.max(backoff, 1_000 * Math.min(MAX_RETRY_AFTER, retryAfters.get(error) ?? 0))
}
