// The activations of docs/FORMAT.md section 4, on 16 values at a time.

/// Codes of the file.
enum Activation: UInt16 {
  case identity, relu, tanh, elu, leakyRelu, silu, gelu, geluTanh, sigmoid, softplus, softsign
}

/// f(v). `a` is the layer's parameter (elu, leaky relu).
@inline(__always) func activate(_ v: Lanes, _ activation: Activation, _ a: Float) -> Lanes {
  switch activation {
  case .identity: return v
  case .relu: return atLeast(0, v)
  case .tanh: return tanh(v)
  case .elu: return select(v .> Lanes(), v, a * expm1OfNegative(atMost(0, v)))
  case .leakyRelu: return select(v .> Lanes(), v, a * v)
  case .silu: return v * sigmoid(v)
  case .gelu: return 0.5 * v * (1 + erf(v * 0.707_106_78))
  case .geluTanh: return 0.5 * v * (1 + tanh(0.797_884_56 * fma(0.044_715 * v * v, v, v)))
  case .sigmoid: return sigmoid(v)
  case .softplus: return softplus(v)
  case .softsign: return v / (1 + magnitude(v))
  }
}
