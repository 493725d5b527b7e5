// node storefront.mjs NODE_MODULES EXTENSION DOOR SECRET: a shop with the block in its theme, as Shopify would show it. Tells its port on stdout.
//
// It signs and passes on what goes to the app proxy, without cookies, renders what comes back as application/liquid, and remembers what a
// browser sent (GET /told). GET /set?… changes how it is: customer=42 logs in, own=no takes Shopify's own recommendations away, slow=MS.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { engine } from './storefront-liquid.mjs'

const [modules, extension, door, secret] = process.argv.slice(2)
const SHOP = 'beans.myshopify.com'
const liquid = engine(modules, join(extension, 'snippets'))
const read = (path) => readFileSync(join(extension, path), 'utf8')
const shop = { customer: '', own: 'yes', slow: '0', serving: '', settings: '' }
const told = []

const TITLES = ['Dark roast', 'Light roast', 'House blend with a name so long that it has to be cut somewhere in its second line', 'Grinder {{ shop.email }}',
  '<script>window.hacked = 1</script> Filter', 'Kettle', 'Süße Tasse', 'Scales', '珈琲豆', "Barista's \"apron\"", 'Decaf', 'Cold brew']
const products = TITLES.map((title, n) => ({
  id: n + 1, handle: `p${n + 1}`, title, url: `/products/p${n + 1}`, price: 990 + 250 * n, available: n !== 7,
  featured_image: n === 5 ? null : { src: `/picture/${n + 1}.svg`, alt: null }, variants: [{ id: 1000 + n }],
}))
const byHandle = Object.fromEntries(products.map((product) => [product.handle, product]))

const page = (product, customer, cart) => {
  const list = products.filter((one) => one.id !== product?.id).slice(3, 9)
  const shown = product && { ...product, metafields: { $app: { recommendations: { value: product.id === 12 ? [] : list } } } }
  const serving = shop.serving ? JSON.parse(shop.serving) : null
  const block = liquid.parseAndRenderSync(read('blocks/recommendations.liquid'), {
    app: { metafields: { everloop: { serving: { value: serving && { models: { recommend: serving } } } } } },
    block: { settings: { product: shown, heading: 'Goes with it', most: 8, columns: 4, path: '/apps/everloop' }, shopify_attributes: '' },
    customer: customer ? { id: +customer } : null,
    cart: { items: cart ? [{ product_id: 2 }] : [], currency: { iso_code: 'EUR' }, attributes: {} },
  })
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${product?.id ?? 'Cart'}</title><link rel="stylesheet" href="/assets/everloop.css"><link rel="icon" href="data:,">
<style>body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1rem}.hero{display:flex;gap:2rem;flex-wrap:wrap}.hero img{width:min(24rem,100%)}
button{font:inherit;padding:.75rem 2rem;background:#222;color:#fff;border:0;border-radius:.25rem}</style>
<script>window.Shopify = { routes: { root: '/' }, currency: { active: 'EUR' } }; window.shifts = 0
new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts += one.value }).observe({ type: 'layout-shift', buffered: true })</script>
<main><div class="hero"><img src="/picture/${product?.id ?? 0}.svg" width="384" height="384" alt=""><div><h1>Coffee ${product?.id ?? 'cart'}</h1><p>A product of this shop.</p>
<form action="/cart/add" method="post"><input type="hidden" name="id" value="${product?.variants[0].id}"><input type="hidden" name="product-id" value="${product?.id}"><button>Add to cart</button></form></div></div>
${block}<footer><h2>About us</h2><p>${'What stands below must not move. '.repeat(30)}</p></footer></main>
<script>document.querySelector('form').addEventListener('submit', (event) => { event.preventDefault(); fetch('/cart/add.js', { method: 'POST', body: new URLSearchParams(new FormData(event.target)) }) })</script>
<script src="/assets/everloop.js" defer></script></html>`
}

const passedOn = async (request, url, body, customer) => {
  const query = new URLSearchParams(url.search)
  for (const [name, value] of Object.entries({ shop: SHOP, path_prefix: '/apps/everloop', timestamp: `${Math.floor(Date.now() / 1000)}`, logged_in_customer_id: customer })) query.set(name, value)
  const signed = [...query].map(([name, value]) => `${name}=${value}`).sort().join('')
  query.set('signature', createHmac('sha256', secret).update(signed).digest('hex'))
  const path = url.pathname.replace('/apps/everloop', '/shopify/proxy')
  await new Promise((go) => setTimeout(go, +shop.slow))
  const reply = await fetch(`${door}${path}?${query}`, { method: request.method, body: request.method === 'POST' ? body : undefined })
  const text = await reply.text()
  const type = reply.headers.get('content-type')
  const rendered = type.startsWith('application/liquid') ? liquid.parseAndRenderSync(text, { all_products: byHandle, shop: { email: 'owner@beans.example' } }) : text
  return [reply.status, type.startsWith('application/liquid') ? 'text/html; charset=utf-8' : type, rendered]
}

const replied = async (request, body) => {
  const url = new URL(request.url, 'http://shop'), [, first, second] = url.pathname.split('/')
  const customer = shop.customer
  if (first === 'set') return Object.assign(shop, Object.fromEntries(url.searchParams)), [200, 'application/json', JSON.stringify(shop)]
  if (first === 'told') return [200, 'application/json', JSON.stringify(told.splice(0))]
  if (first === 'assets') return [200, second.endsWith('css') ? 'text/css' : 'text/javascript', read(url.pathname.slice(1))]
  if (first === 'picture') return [200, 'image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10" fill="hsl(${37 * parseInt(second)} 45% 70%)"/></svg>`]
  if (first === 'products') return [200, 'text/html; charset=utf-8', page(byHandle[second], customer, false)]
  if (first === 'apps') {
    if (request.method === 'POST') told.push({ outcomes: JSON.parse(body) })
    return passedOn(request, url, body, customer).catch((error) => [502, 'text/plain', String(error)])
  }
  if (first === 'recommendations') {
    const found = shop.own === 'no' ? [] : products.slice(0, +url.searchParams.get('limit')).filter((one) => `${one.id}` !== url.searchParams.get('product_id'))
    told.push({ own: url.searchParams.get('intent') })
    return [200, 'application/json', JSON.stringify({ products: found.map((one) => ({ ...one, featured_image: one.featured_image?.src })) })]
  }
  if (first === 'cart') {
    if (request.method === 'GET') return [200, 'text/html; charset=utf-8', page(null, customer, true)]
    told.push({ [second]: second === 'update.js' ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body)) })
    return [200, 'application/json', '{}']
  }
  return [404, 'text/plain', 'not here']
}

const server = createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  const [status, type, body] = await replied(request, Buffer.concat(parts).toString())
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
