// Liquid as a storefront has it: liquidjs with the tag and the filters that Shopify documents and liquidjs has not.

import { createRequire } from 'node:module'
import { join } from 'node:path'

export function engine(modules, snippets) {
  const { Liquid } = createRequire(join(modules, 'x.js'))('liquidjs')
  const liquid = new Liquid({ root: snippets, extname: '.liquid', strictFilters: true })
  liquid.registerTag('schema', {
    parse(_, rest) {
      while (rest.length && rest.shift().name !== 'endschema');
    },
    render() {},
  })
  // The same letters as Shopify's, which liquidjs writes otherwise: &#34; for a quote.
  const LETTERS = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  liquid.registerFilter('escape', (text) => String(text ?? '').replace(/[&<>"']/g, (letter) => LETTERS[letter]))
  liquid.registerFilter('image_url', (image, width) => `${image.src}?width=${width[1]}`)
  liquid.registerFilter('money', (cents) => `€${(cents / 100).toFixed(2)}`)
  return liquid
}
