// node forge.mjs NODE_MODULES < {key, secret, shop, requests}: each request as Shopify's own library forges it for tests, signed.
//
// kind extension: a webhook's or a Flow's body, signed in a header; public: a query of the app proxy; bearer: an ID token.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.argv[2], 'x.js'))
const { RequestType, setUpValidRequest } = require('@shopify/shopify-api/test-helpers')
const { key, secret, shop, requests } = JSON.parse(readFileSync(0, 'utf8'))
const TYPES = { extension: RequestType.Extension, public: RequestType.Public, bearer: RequestType.Bearer }

const forged = []
for (const { kind, url, method, body, headers = {} } of requests) {
  const said = { type: TYPES[kind], store: shop.replace('.myshopify.com', ''), apiKey: key, apiSecretKey: secret, ...(kind === 'extension' && { body, headers }) }
  const made = await setUpValidRequest(said, new Request(url, { method, body: kind === 'extension' ? JSON.stringify(body) : undefined, headers }))
  forged.push({ url: made.url, method: made.method, headers: Object.fromEntries(made.headers), body: method === 'GET' ? null : await made.text() })
}
console.log(JSON.stringify(forged))
