/* Everloop: shows the list of the moment, tells what was seen and opened, and marks what was bought from it. No dependencies. */
(() => {
  'use strict'
  const LATE = 2000, WEEK = 7 * 864e5, KEY = 'everloop'
  const shopify = window.Shopify ?? {}
  const root = shopify.routes?.root ?? '/'

  // What a browser remembers, as far as its person allows: a token of its own, and which list a product was opened from.
  const read = () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? {} } catch { return {} } }
  const write = (change) => { try { localStorage.setItem(KEY, JSON.stringify({ ...read(), ...change })) } catch {} }
  const allowed = new Promise((say) => {
    const ask = () => say(shopify.customerPrivacy?.analyticsProcessingAllowed?.() ?? true)
    if (!shopify.loadFeatures) return ask()
    setTimeout(say, 1000, false)
    shopify.loadFeatures([{ name: 'consent-tracking-api', version: '0.1' }], ask)
  })
  const token = () => {
    let { unit } = read()
    if (!unit) write({ unit: unit = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, '0')).join('') })
    return unit
  }

  const soon = async (url, as) => {
    const stop = new AbortController(), late = setTimeout(() => stop.abort(), LATE)
    try {
      const reply = await fetch(url, { signal: stop.signal, headers: { Accept: '*/*' } })
      return reply.ok ? await reply[as]() : null
    } catch { return null } finally { clearTimeout(late) }
  }

  const tell = (block, name, product = '') => {
    const { unit, list, path } = block
    if (!unit) return
    const event_id = `${list.prediction || crypto.randomUUID?.() || Date.now()}:${name}:${product}`.replace(/:$/, '')
    const row = { name, event_id, unit, ...(list.prediction && { prediction: list.prediction }) }
    const body = new Blob([JSON.stringify([row])], { type: 'text/plain' })
    if (!navigator.sendBeacon?.(`${path}/outcomes`, body)) fetch(`${path}/outcomes`, { method: 'POST', body, keepalive: true }).catch(() => {})
  }

  // -- what is shown --

  const made = (name, kind, text) => {
    const part = document.createElement(name)
    part.className = `everloop__${kind}`
    if (text) part.textContent = text
    return part
  }
  const card = (product, currency) => {
    const item = made('li', 'card'), link = made('a', 'link'), picture = made('span', 'picture')
    link.href = new URL(product.url, location.origin).pathname
    link.dataset.product = product.id
    if (product.featured_image) {
      const image = new Image(480, 480)
      image.loading = 'lazy'
      image.alt = product.title
      image.src = product.featured_image
      picture.append(image)
    }
    let price = (product.price / 100).toFixed(2)
    try { price = new Intl.NumberFormat(document.documentElement.lang || undefined, { style: 'currency', currency }).format(price) } catch {}
    link.append(picture, made('span', 'title', product.title), made('span', 'price', price))
    item.append(link)
    return item
  }
  // As high as any card, so that nothing below moves.
  const empty = () => {
    const item = made('li', 'card everloop__card--empty')
    item.append(made('span', 'picture'), made('span', 'title'), made('span', 'price'))
    return item
  }
  const put = (block, cards, list) => {
    if (!cards.length) return false
    block.list = list
    block.place.replaceChildren(...cards.slice(0, block.most))
    return true
  }

  const ours = async (block) => {
    const query = new URLSearchParams({ most: block.most, view: 'cards' })
    for (const [name, value] of Object.entries({ product: block.product, cart: block.cart, unit: block.unit })) if (value) query.set(name, value)
    const text = await soon(`${block.path}/recommendations?${query}`, 'text')
    const said = text && new DOMParser().parseFromString(text, 'text/html').querySelector('[data-everloop-answer]')
    if (!said) return false
    const { prediction, arm = '', source, property } = said.dataset
    const list = { prediction, arm, source, property }
    if (source === 'shopify') {
      // Kept back for good: nothing of ours is shown, also where Shopify has nothing.
      if (!(await shopifys(block, list))) block.place.replaceChildren(empty())
      return true
    }
    return put(block, [...said.querySelectorAll('.everloop__card')], list)
  }

  const shopifys = async (block, list) => {
    const about = block.product || block.cart.split(',')[0]
    if (!about) return false
    const query = new URLSearchParams({ product_id: about, limit: block.most, intent: 'related' })
    const said = await soon(`${root}recommendations/products.json?${query}`, 'json')
    const cards = (said?.products ?? []).filter((product) => product.available !== false).map((product) => card(product, block.currency))
    return put(block, cards, { ...list, source: 'shopify', property: list.prediction ? list.property : `shopify/${list.arm || ''}` })
  }

  const begin = async (section) => {
    const { path, product = '', cart = '', arm = '', most, currency, variants = '' } = section.dataset
    const place = section.querySelector('.everloop__list')
    const block = { section, place, path: path.replace(/\/$/, ''), product, cart, most: +most, currency: shopify.currency?.active ?? currency }
    block.variants = variants.split(',')
    block.list = { arm, source: 'precomputed', property: `precomputed/${arm}` }
    block.unit = (await allowed) ? token() : ''
    const known = () => place.querySelector('.everloop__link')
    // While a person holds the model nothing is asked for: what was worked out beforehand is the champion's.
    const asked = !('still' in section.dataset) && (await ours(block))
    if (!asked && !known()) await shopifys(block, block.list)
    if (!known()) {
      // Nothing to show: the place is given up as soon as that moves nothing a person looks at.
      new IntersectionObserver(([seen], watch) => seen.isIntersecting || (section.hidden = true, watch.disconnect())).observe(section)
      return
    }
    new IntersectionObserver(([seen], watch) => {
      if (!seen.isIntersecting) return
      watch.disconnect()
      tell(block, 'impression')
    }, { threshold: 0.5 }).observe(place)
    place.addEventListener('click', (event) => {
      const opened = event.target.closest?.('a[data-product]')?.dataset.product
      if (!opened || !block.unit) return
      write({ opened: { ...recent(), [opened]: { property: block.list.property, prediction: block.list.prediction, at: Date.now() } } })
      tell(block, 'click', opened)
    })
    return block
  }

  // -- what is bought --

  const recent = () => Object.fromEntries(Object.entries(read().opened ?? {}).filter(([, one]) => Date.now() - one.at < WEEK).slice(-50))
  const blocks = []
  const bought = (data) => {
    const variant = data.get('id'), block = blocks.find(({ variants }) => variants.includes(variant))
    const from = recent()[data.get('product-id') ?? block?.product]
    if (!from || data.has('properties[_everloop]')) return
    data.set('properties[_everloop]', from.property)
    if (block ?? blocks[0]) tell({ ...(block ?? blocks[0]), list: from }, 'cart', data.get('product-id') ?? block?.product)
  }
  // Also of forms that a theme sends by script, and of those that come later.
  document.addEventListener('formdata', (event) => {
    if (!/\/cart\/add(\.js)?$/.test(new URL(event.target.action, location).pathname)) return
    bought(event.formData)
    setTimeout(known, 1500)
  })
  // An order says which token was answered, also where nothing was bought from a list: by it the arms are compared.
  const known = () => {
    const { unit } = read(), body = JSON.stringify({ attributes: { _everloop_unit: unit } })
    if (unit) fetch(`${root}cart/update.js`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }).catch(() => {})
  }

  const start = () => document.querySelectorAll('[data-everloop]:not([data-everloop-on])').forEach(async (section) => {
    section.dataset.everloopOn = ''
    const block = await begin(section)
    if (block) blocks.push(block)
    if (section.dataset.cart && section.dataset.known !== read().unit) known()
  })
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start)
  else start()
  document.addEventListener('shopify:section:load', start)
})()
