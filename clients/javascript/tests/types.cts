// `tsc` checks this file with the declarations of the CommonJS module. It never runs.

import api = require('@example/protocol-api')

const client = new api.default('token')
const same: api.ApiClient = client
client.groups.get('a').then((group: api.Group) => group.name, (error: api.ApiError) => error.code)
// @ts-expect-error: the module itself is no class.
new api('token')
