// The probit function, the inverse of the normal distribution function.
//
//   |p - 1/2| <= 0.3   x = p - 1/2: x c(x^2), c of degree 6
//   in the tails       t = sqrt(-2 log min(p, 1 - p)): t - g(log t), g of degree 8

import FlowrtShim

/// The z with Phi(z) = p, from p and 1 - p (so that neither tail loses digits). Infinite where one of them is 0.
@inline(never) func probit(_ p: Lanes, complement: Lanes) -> Lanes {
  let x = 0.5 * (p - complement)
  let s = x * x
  var c = fma(s, 1_746.165_2, -45.246_437)
  c = fma(c, s, 60.516_82)
  c = fma(c, s, 15.209_679)
  c = fma(c, s, 5.779_785)
  c = fma(c, s, 2.624_892_5)
  c = fma(c, s, 2.506_628_3)
  let center = c * x

  let l = -2 * log(flowrt_v_min(p, complement))
  let t = flowrt_v_sqrt(l)
  // What the square root rounded off, to first order.
  let lost = negatedFma(t, t, l) / (t + t)
  let u = 0.5 * log(l)
  var g = fma(u, 5.656_629_6e-6, -1.328_487_4e-4)
  g = fma(g, u, 1.132_538_2e-3)
  g = fma(g, u, -4.292_112_3e-3)
  g = fma(g, u, 4.368_408e-3)
  g = fma(g, u, 1.201_753e-2)
  g = fma(g, u, 5.008_741e-2)
  g = fma(g, u, -0.577_671_5)
  g = fma(g, u, 1.270_387_6)
  let tail = copySign(ifLess(l, .infinity, t - (g - lost), l), x)
  return ifMore(magnitude(x), 0.3, tail, center)
}
