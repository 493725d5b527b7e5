// node judge.mjs FOLDER [NODE_MODULES] < cases: the arm of each case as the exported files tell it, by JavaScript and by Liquid.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, modules] = process.argv.slice(2)
const { armOf, compared, places } = await import(pathToFileURL(join(folder, 'everloop-arm.mjs')))
const cases = JSON.parse(readFileSync(0, 'utf8'))
const WHOLE = 2 ** 32

const said = { javascript: cases.map((one) => inJavaScript(one)) }
if (modules) {
  const { Liquid } = createRequire(join(modules, 'x.js'))('liquidjs')
  const engine = new Liquid({ root: folder, extname: '.liquid', strictFilters: true, cache: true })
  const call = "{% render 'everloop-arm', unit: unit, stage: stage, salt: salt, covered: covered, given: given, control_salt: controlSalt, kept: kept, candidates: candidates %}"
  const template = engine.parse(call)
  const own = {}
  said.liquid = cases.map((one) => {
    if (!one.model) return engine.renderSync(template, { ...one, candidates: one.candidates?.join(',') })
    own[one.model] ??= engine.parse(`{% render 'everloop-arm-${one.model}', unit: unit %}`)
    return engine.renderSync(own[one.model], one)
  })
}
console.log(JSON.stringify(said))

function inJavaScript(one) {
  const unit = one.utf16 ? String.fromCharCode(...one.utf16) : one.unit
  try {
    const [coverage, variation] = places(unit, one.salt)
    return [armOf(unit, one), compared(unit, one), coverage * WHOLE, variation * WHOLE]
  } catch (error) {
    return `${error.name}: ${error.message}`
  }
}
