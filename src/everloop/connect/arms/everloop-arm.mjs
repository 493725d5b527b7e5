// Which arm answers a unit, as Everloop says. Written by everloop export assignment; it never changes with a roll-out.
//
//     import { armOf } from './everloop-arm.mjs'
//     armOf(customerId, rollouts.models.demand) // 'champion', 'candidate' (of several also 'candidate-2' …) or 'control'
//
// A roll-out is { stage, salt, share, control, controlSalt, candidates }, as everloop-rollouts.json has it. No dependencies; Node 18 and every browser with modules.
// The hash is here, and not crypto.subtle's: that one answers later (a page needs its arm before it is drawn), is missing on pages
// without https, and is no global of Node 18.

const WHOLE = 2 ** 32

/** Who answers this unit: 'champion', 'candidate', or 'control', which keeps the baseline for good. Outside a canary, and where there is
 *  no roll-out, the champion answers whom no control keeps.
 *  Throws a TypeError for a unit that is no text or whole number, and for a canary without a salt or a share from 0 to 1. */
export function armOf(unit, rollout) {
  if (kept(unit, rollout)) return 'control'
  if (!inCanary(rollout)) return 'champion'
  const [coverage, variation] = places(unit, rollout.salt)
  const given = coverage < covered(rollout.share) && variation < Math.max(0.5, rollout.share)
  const several = rollout.candidates ?? []
  if (!given) return 'champion'
  return several.length > 1 ? several[drawn(unit, rollout.salt, several.length)] : 'candidate'
}

/** Which of so many candidates a unit is drawn for, from 0 on; the same whatever the share. */
export function drawn(unit, salt, among) {
  return Math.floor(places(unit, `arm:${salt}`)[0] * among)
}

/** Does this unit count where the arms are compared? Others are answered by the champion or the baseline, and compared with nobody. */
export function compared(unit, rollout) {
  if (!inCanary(rollout) || kept(unit, rollout)) return false
  const [coverage, variation] = places(unit, rollout.salt)
  if (coverage >= covered(rollout.share)) return false
  // Who was drawn for a candidate that was dropped is compared with nobody.
  return variation >= Math.max(0.5, rollout.share) || armOf(unit, rollout) !== 'champion'
}

/** Does this unit keep the baseline for good? Told by a salt of the model's own, which no roll-out changes. */
export function kept(unit, rollout) {
  const control = rollout?.control ?? 0
  if (control === 0) return false
  if (typeof rollout.controlSalt === 'string' && control > 0 && control <= 1) return places(unit, rollout.controlSalt)[0] < control
  throw new TypeError(`everloop: a control has a controlSalt and a share from 0 to 1, not ${rollout.controlSalt} and ${control}`)
}

/** Where a unit stands in coverage and in variation, both in [0, 1): the first and the second eight hex digits of SHA-256 over
 *  'salt:unit', divided by 2^32. */
export function places(unit, salt) {
  const [first, second] = sha256(utf8(`${salt}:${asText(unit)}`))
  return [first / WHOLE, second / WHOLE]
}

function covered(share) {
  return Math.min(1, 2 * share)
}

function inCanary(rollout) {
  if (rollout == null || rollout.stage !== 'canary') return false
  const { salt, share } = rollout
  if (typeof salt === 'string' && typeof share === 'number' && share >= 0 && share <= 1) return true
  throw new TypeError(`everloop: a canary has a salt and a share from 0 to 1, not ${salt} and ${share}`)
}

// A number too large to be exact would silently be another unit.
function asText(unit) {
  if (typeof unit === 'string') return unit
  if (typeof unit === 'bigint' || Number.isSafeInteger(unit)) return String(unit)
  throw new TypeError(`everloop: a unit is a text or a whole number, not ${typeof unit} ${String(unit)}`)
}

// TextEncoder would write half a pair of surrogates as U+FFFD, and so give all broken texts one arm; Everloop hashes it as it is.
function utf8(text) {
  const bytes = []
  for (const character of text) {
    const code = character.codePointAt(0)
    if (code < 0x80) bytes.push(code)
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), tail(code))
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), tail(code >> 6), tail(code))
    else bytes.push(0xf0 | (code >> 18), tail(code >> 12), tail(code >> 6), tail(code))
  }
  return bytes
}

function tail(code) {
  return 0x80 | (code & 0x3f)
}

// SHA-256 (FIPS 180-4) as eight words of 32 bits. Its constants: the first 32 bits of the fractions of the square roots of the first
// eight primes, and of the cube roots of the first 64.
// prettier-ignore
const BEGIN = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]
// prettier-ignore
const ROUNDS = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]

function sha256(bytes) {
  const padded = new Uint8Array((((bytes.length + 8) >> 6) + 1) << 6)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor((bytes.length * 8) / WHOLE))
  view.setUint32(padded.length - 4, bytes.length * 8)
  const state = Uint32Array.from(BEGIN)
  const words = new Uint32Array(64)
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(block + 4 * i)
    mix(state, words)
  }
  return state
}

function mix(state, words) {
  for (let i = 16; i < 64; i++) {
    const [near, far] = [words[i - 2], words[i - 15]]
    const s0 = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3)
    const s1 = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10)
    words[i] = words[i - 16] + s0 + words[i - 7] + s1
  }
  let [a, b, c, d, e, f, g, h] = state
  for (let i = 0; i < 64; i++) {
    const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0
    const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const mixed = [a, b, c, d, e, f, g, h]
  for (let i = 0; i < 8; i++) state[i] += mixed[i]
}

function turned(word, by) {
  return (word >>> by) | (word << (32 - by))
}
