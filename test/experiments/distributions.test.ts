import test from 'node:test'
import { betaCdf, betaDensity, betaQuantile } from '../../src/experiments/distributions/beta.ts'
import {
  binomialCdf,
  binomialQuantile,
  signTest,
} from '../../src/experiments/distributions/binomial.ts'
import { chiSquareSurvival } from '../../src/experiments/distributions/chi-square.ts'
import {
  logBeta,
  logGamma,
  lowerGamma,
  upperGamma,
} from '../../src/experiments/distributions/gamma.ts'
import {
  normalCdf,
  normalQuantile,
  normalSurvival,
} from '../../src/experiments/distributions/normal.ts'
import { integrate } from '../../src/experiments/distributions/quadrature.ts'
import { studentQuantile, twoSidedStudent } from '../../src/experiments/distributions/student-t.ts'
import { close } from './close.ts'

test('the logarithm of the gamma function is exact at factorials, halves and large arguments', () => {
  close(logGamma(1), 0, 1e-14)
  close(logGamma(2), 0, 1e-14)
  close(logGamma(11), Math.log(3_628_800), 1e-13)
  close(logGamma(0.5), 0.5 * Math.log(Math.PI), 1e-14)
  // ln(170!) and Γ(0.1), as tabulated.
  close(logGamma(171), 706.573_062_245_787_4, 1e-11)
  close(Math.exp(logGamma(0.1)), 9.513_507_698_668_732, 1e-12)
  close(logBeta(3, 4), Math.log(1 / 60), 1e-14)
})

test('the incomplete gamma functions add up to one and give the Poisson distribution', () => {
  for (const [a, x] of [
    [0.5, 0.1],
    [3, 2],
    [10, 25],
    [200, 210],
  ] as const) {
    close(lowerGamma(a, x) + upperGamma(a, x), 1, 1e-14)
  }
  close(upperGamma(3, 2), Math.exp(-2) * (1 + 2 + 2), 1e-14)
})

test('the normal distribution is exact in the centre and far out in the tails', () => {
  close(normalQuantile(0.975), 1.959_963_984_540_054, 1e-14)
  close(normalQuantile(1e-10), -6.361_340_902_404_056, 1e-12)
  close(normalCdf(-8) / 6.220_960_574_271_785e-16, 1, 1e-12)
  close(normalSurvival(1), 0.158_655_253_931_457_05, 1e-14)
  for (const p of [1e-200, 1e-12, 0.01, 0.2, 0.5, 0.8, 0.999_999]) {
    close(normalCdf(normalQuantile(p)) / p, 1, 1e-11)
  }
})

test('quantiles undo the distribution functions of beta and Student t', () => {
  for (const [a, b] of [
    [1, 1],
    [421, 581],
    [1, 5000],
    [31, 71],
  ] as const) {
    for (const p of [1e-13, 0.001, 0.3, 0.975]) {
      close(betaCdf(betaQuantile(p, a, b), a, b) / p, 1, 1e-9)
    }
  }
  for (const df of [1, 2.5, 30, 352.39, 1e6]) {
    for (const p of [0.6, 0.975, 0.9999]) {
      close(twoSidedStudent(studentQuantile(p, df), df), 2 * (1 - p), 1e-11)
    }
  }
  close(studentQuantile(0.975, 1), 12.706_204_736_174_7, 1e-10)
  close(studentQuantile(0.025, 10), -2.228_138_851_986_27, 1e-12)
})

test('the beta density integrates to its distribution function', () => {
  close(
    integrate((x) => betaDensity(x, 31, 71), 0, 0.3),
    betaCdf(0.3, 31, 71),
    1e-13,
  )
})

test('binomial probabilities are the sums of their terms', () => {
  const term = (k: number): number => [1, 5, 10, 10, 5, 1][k]! * 0.3 ** k * 0.7 ** (5 - k)
  let sum = 0
  for (let k = 0; k < 5; k++) {
    sum += term(k)
    close(binomialCdf(k, 5, 0.3), sum, 1e-14)
    close(binomialQuantile(sum - 1e-9, 5, 0.3), k)
  }
  close(signTest(0, 5), 1 / 16, 1e-14)
  close(signTest(3, 6), 1)
})

test('the chi-square distribution with two degrees of freedom is exponential', () => {
  close(chiSquareSurvival(22, 2), Math.exp(-11), 1e-18)
})
