/** Numerical integration of a smooth function over a finite interval. */

/** Ten-point Gauss–Legendre rule on [−1, 1], positive half (Abramowitz & Stegun table 25.4). */
const NODES = [
  0.1488743389816312, 0.4333953941292472, 0.6794095682990244, 0.8650633666889845,
  0.9739065285171717,
] as const
const WEIGHTS = [
  0.2955242247147529, 0.2692667193099964, 0.219086362515982, 0.1494513491505806, 0.0666713443086881,
] as const

/**
 * ∫ f over [from, to], as `panels` equal panels of the ten-point rule. For densities over a dozen deviations 40 panels
 * reach 1e-14; the cost is ten evaluations per panel.
 */
export const integrate = (
  f: (x: number) => number,
  from: number,
  to: number,
  panels = 48,
): number => {
  const half = (to - from) / (2 * panels)
  let sum = 0
  for (let panel = 0; panel < panels; panel++) {
    const middle = from + half * (2 * panel + 1)
    for (let node = 0; node < NODES.length; node++) {
      const offset = half * NODES[node]!
      sum += WEIGHTS[node]! * (f(middle - offset) + f(middle + offset))
    }
  }
  return sum * half
}
