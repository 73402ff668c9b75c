/** Numerical integration of smooth functions over finite intervals. */

/** Ten-point Gauss–Legendre rule on [−1, 1], positive half (Abramowitz & Stegun table 25.4). */
const NODES = [
  0.1488743389816312, 0.4333953941292472, 0.6794095682990244, 0.8650633666889845,
  0.9739065285171717,
] as const
const WEIGHTS = [
  0.2955242247147529, 0.2692667193099964, 0.219086362515982, 0.1494513491505806, 0.0666713443086881,
] as const

/** Where a function is evaluated, and with which weight. */
export interface QuadratureNode {
  readonly at: number
  readonly weight: number
}

/** Nodes of [from, to] as `panels` equal panels of the ten-point rule: ten of each. */
export const quadratureNodes = (from: number, to: number, panels: number): QuadratureNode[] => {
  const half = (to - from) / (2 * panels)
  return Array.from({ length: panels }, (_, panel) => from + half * (2 * panel + 1)).flatMap(
    (middle) =>
      NODES.flatMap((node, index) => {
        const weight = WEIGHTS[index]! * half
        return [
          { at: middle - half * node, weight },
          { at: middle + half * node, weight },
        ]
      }),
  )
}

/** ∫ f over [from, to]. For densities over a dozen deviations 40 panels reach 1e-14. */
export const integrate = (
  f: (x: number) => number,
  from: number,
  to: number,
  panels = 48,
): number =>
  quadratureNodes(from, to, panels).reduce((sum, { at, weight }) => sum + weight * f(at), 0)
