// The probit function, the inverse of the normal distribution function.
//
//   |p - 1/2| <= 0.345   x = p - 1/2: x c(x^2), c of degree 8
//   in the tails         t = sqrt(-2 log min(p, 1 - p)): t - g(log t), g of degree 8

import FlowrtShim

/// The z with Phi(z) = p, from p and 1 - p (so that neither tail loses digits). Infinite where one of them is 0.
@inline(never) func probit(_ p: Register, complement: Register) -> Register {
  let x = p - 0.5
  let s = x * x
  var c = fma(s, 63_568.152, -16_812.766)
  c = fma(c, s, 3_157.552_2)
  c = fma(c, s, -56.680_687)
  c = fma(c, s, 56.000_214)
  c = fma(c, s, 15.458_569)
  c = fma(c, s, 5.774_835)
  c = fma(c, s, 2.624_926_3)
  let center = fma(x, 2.506_628_3, x * (s * c))

  let l = -2 * log(flowrt_v_min(p, complement))
  let t = flowrt_v_sqrt(l)
  // What the square root rounded off, to first order.
  let lost = negatedFma(t, t, l) / (t + t)
  let u = 0.5 * log(l)
  var g = fma(u, 7.914_208e-6, -1.620_172_1e-4)
  g = fma(g, u, 1.292_924_3e-3)
  g = fma(g, u, -4.781_379e-3)
  g = fma(g, u, 5.272_396e-3)
  g = fma(g, u, 1.098_334e-2)
  g = fma(g, u, 5.080_187_7e-2)
  g = fma(g, u, -0.577_943_74)
  let tail = copySign(ifLess(l, .infinity, (t - 1.270_431_4) - fma(g, u, -lost), l), x)
  return ifMore(magnitude(x), 0.345, tail, center)
}
