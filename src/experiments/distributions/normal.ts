/** The standard normal distribution. */
import { lowerGamma, upperGamma } from './gamma.ts'

/** 1 − Φ(x), exact in the upper tail: Q(½, x²/2) / 2. */
export const normalSurvival = (x: number): number =>
  x >= 0 ? 0.5 * upperGamma(0.5, (x * x) / 2) : 0.5 + 0.5 * lowerGamma(0.5, (x * x) / 2)

/** Φ(x), exact in the lower tail. */
export const normalCdf = (x: number): number => normalSurvival(-x)

/** φ(x) = exp(−x²/2) / √(2π). */
export const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0)

const CENTRE = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946,
    45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597,
    39307.89580009271, 28729.085735721943, 5226.495278852854,
  ],
] as const
const FLANK = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045,
    1.2704582524523684, 0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008,
    0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-9,
  ],
] as const
const TAIL = [
  [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
    0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
  ],
  [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    1.8463183175100548e-5, 1.421511758316446e-7, 2.0442631033899397e-15,
  ],
] as const

const rational = ([above, below]: readonly (readonly number[])[], x: number): number =>
  polynomial(above!, x) / polynomial(below!, x)

/**
 * The x with Φ(x) = p (probit): algorithm AS 241, PPND16 (Wichura, Applied Statistics 37, 1988), about 1e-16 relative.
 */
export const normalQuantile = (p: number): number => {
  if (!(p >= 0 && p <= 1)) return Number.NaN
  if (p === 0) return -Infinity
  if (p === 1) return Infinity
  const centred = p - 0.5
  if (Math.abs(centred) <= 0.425) return centred * rational(CENTRE, 0.180625 - centred * centred)
  const r = Math.sqrt(-Math.log(Math.min(p, 1 - p)))
  const size = r <= 5 ? rational(FLANK, r - 1.6) : rational(TAIL, r - 5)
  return centred < 0 ? -size : size
}

/** Two-sided p-value of a z statistic. */
export const twoSidedNormal = (z: number): number => Math.min(1, 2 * normalSurvival(Math.abs(z)))
