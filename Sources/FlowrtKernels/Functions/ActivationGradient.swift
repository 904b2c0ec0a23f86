// The derivatives of the activations (docs/FORMAT.md section 4). At a kink they are what automatic differentiation
// takes: relu' 0 = 0, and that of leaky relu and elu the one from below.

import FlowrtShim

/// f'(v). `value`: f(v), where the derivative follows from it (Activation.slopeIsOfValue); else `sum`, which is v.
@inline(never) func activationSlope(_ activation: Activation, _ a: Float, value: Register, sum v: Register) -> Register
{
  let one = Register(repeating: 1)
  switch activation {
  case .identity, .layerNorm: return one  // layer norm: LayerNorm.swift
  case .relu: return ifMore(value, 0, one, 0 * value)
  case .tanh: return negatedFma(value, value, one)
  case .sigmoid: return value * (1 - value)
  case .elu:
    if a > 0 { return ifMore(value, 0, one, value + a) }
    return ifMore(v, 0, one, a * exp(v))
  case .leakyRelu: return ifMore(a > 0 ? value : v, 0, one, fma(v, 0, a))
  case .silu:
    let s = sigmoid(v)
    return s * fma(v, sigmoid(-v), 1)
  case .gelu:
    // Phi(v) + v phi(v)
    return fma(v, exp(fma(v * v, -0.5, Float(logNormalizer))), 0.5 * (1 + through(erf, v * sqrtHalf)))
  case .geluTanh:
    // v sigmoid(2 u), u = b (v + c v^3)
    let b: Float = 2 * 0.797_884_56
    let square = v * v
    let s = sigmoid(v * fma(square, b * 0.044_715, b))
    return fma(v * s * (1 - s), fma(square, 3 * b * 0.044_715, b), s)
  case .softplus: return sigmoid(v)
  case .softsign:
    let d = 1 + magnitude(v)
    return 1 / (d * d)
  case .sine: return sin(v + 1.570_796_4)
  case .arctangent: return 1 / fma(v, v, 1)
  case .inverseHyperbolicSine: return 1 / flowrt_v_sqrt(fma(v, v, 1))
  }
}
