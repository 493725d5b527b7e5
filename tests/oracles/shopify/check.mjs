// node check.mjs NODE_MODULES EXTENSION: the offences Shopify's theme check finds in a theme app extension, as JSON.

import { createRequire } from 'node:module'
import { join } from 'node:path'

const [modules, folder] = process.argv.slice(2)
const { themeCheckRun } = createRequire(join(modules, 'x.js'))('@shopify/theme-check-node')
const log = console.log
console.log = console.error
const { offenses } = await themeCheckRun(folder, join(folder, '.theme-check.yml'))
log(JSON.stringify(offenses.map(({ check, message, uri, severity, start }) => ({ check, message, uri, severity, line: start?.line }))))
