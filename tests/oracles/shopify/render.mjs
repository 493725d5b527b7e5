// node render.mjs NODE_MODULES SNIPPETS < cases: what liquidjs makes of each case's template.

import { readFileSync } from 'node:fs'
import { engine } from './storefront-liquid.mjs'

const [modules, snippets] = process.argv.slice(2)
const liquid = engine(modules, snippets)
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map((one) => liquid.parseAndRenderSync(one.template, one.given))))
