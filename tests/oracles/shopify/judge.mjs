// node judge.mjs NODE_MODULES < {key, secret, cases}: whether Shopify's own library believes each request.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.argv[2], 'x.js'))
require('@shopify/shopify-api/adapters/node')
const { shopifyApi, ApiVersion } = require('@shopify/shopify-api')
const { key, secret, cases } = JSON.parse(readFileSync(0, 'utf8'))
const shopify = shopifyApi({ apiKey: key, apiSecretKey: secret, hostName: 'shop.example.com', scopes: [], apiVersion: ApiVersion.October26 ?? Object.values(ApiVersion).at(-1), isEmbeddedApp: false, logger: { level: 0 } })

const JUDGES = {
  webhook: ({ body, headers }) => shopify.webhooks.validate({ rawBody: body, rawRequest: { headers, url: '/', method: 'POST' }, rawResponse: {} }).then((said) => said.valid),
  flow: ({ body, headers }) => shopify.flow.validate({ rawBody: body, rawRequest: { headers, url: '/', method: 'POST' }, rawResponse: {} }).then((said) => said.valid),
  proxy: ({ query }) => shopify.utils.validateHmac(new URLSearchParams(query), { signator: 'appProxy' }),
  bearer: ({ token }) => shopify.session.decodeSessionToken(token).then(() => true),
}
const said = []
for (const one of cases) said.push(await Promise.resolve().then(() => JUDGES[one.kind](one)).catch(() => false))
console.log(JSON.stringify(said))
