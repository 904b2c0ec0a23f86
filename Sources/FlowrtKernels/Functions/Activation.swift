// The activations of docs/FORMAT.md section 4, on 16 values at a time.

import FlowrtShim

/// f(v). `a` is the layer's parameter (elu, leaky relu).
@inline(never) func activate(_ v: Lanes, _ activation: Activation, _ a: Float) -> Lanes {
  switch activation {
  // Not asked for here: activateInPlace leaves the first two alone, and has loops for the others.
  case .identity, .layerNorm, .relu, .tanh: return v
  case .elu: return ifMore(v, 0, v, a * Lanes(expm1OfNegative(atMost(0, v).chunk)))
  case .leakyRelu: return ifMore(v, 0, v, a * v)
  case .silu: return v * sigmoid(v)
  case .gelu: return 0.5 * v * (1 + erf(v * sqrtHalf))
  // (1 + tanh u) / 2 = sigmoid(2u)
  case .geluTanh: return v * sigmoid(v * fma(v * v, 2 * 0.797_884_56 * 0.044_715, 2 * 0.797_884_56))
  case .sigmoid: return sigmoid(v)
  case .softplus: return softplus(v)
  case .softsign: return v / (1 + magnitude(v))
  case .sine: return sin(v)
  case .arctangent: return atan(v)
  case .inverseHyperbolicSine: return asinh(v)
  }
}

/// Applies the activation of a code to floats first ..< end; the other floats of the vectors that hold them stay as they are.
/// `lanesPerRow` 2: each value stands in two lanes, so that one vector does for two.
func activateInPlace(
  _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, _ code: UInt16, _ a: Float, lanesPerRow: Int
) {
  var first = first
  // The most frequent ones in loops of their own, found by their numbers: this runs once for each stage. All others by `activate`,
  // which knows every one.
  switch code {
  case Activation.identity.rawValue, Activation.layerNorm.rawValue: return
  case Activation.relu.rawValue: apply(Relu(), values, first, end)  // less work than pairing
  case Activation.tanh.rawValue:
    if lanesPerRow == 2 {
      #if FLOWRT_LEVEL_3
        first = UnrolledTanh<4>.runPairs(values, first, end)
        first = UnrolledTanh<2>.runPairs(values, first, end)
      #endif
      first = applyToPairs(Tanh(), values, first, end)
    }
    #if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
      if first & 15 == 0 {
        first = UnrolledTanh<4>.run(values, first, end)
        #if FLOWRT_LEVEL_3
          first = UnrolledTanh<2>.run(values, first, end)
        #endif
      }
    #endif
    apply(Tanh(), values, first, end)
  default:
    let any = AnyActivation(activation: Activation(rawValue: code).unsafelyUnwrapped, a: a)
    if lanesPerRow == 2 { first = applyToPairs(any, values, first, end) }
    apply(any, values, first, end)
  }
}

private protocol UnaryFunction {
  func callAsFunction(_ v: Lanes) -> Lanes
}
private struct Relu: UnaryFunction {
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { atLeast(0, v) }
}
private struct Tanh: UnaryFunction {
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { inlinedTanh(v) }
}
private struct AnyActivation: UnaryFunction {
  let activation: Activation
  let a: Float
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { activate(v, activation, a) }
}

#if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
  /// tanh of N registers at once. Returns where the last N end.
  private enum UnrolledTanh<let N: Int> {
    @inline(__always) static func run(_ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int) -> Int {
      var index = first
      let count = N &* Register.scalarCount
      while index &+ count <= end {
        tanh(Unrolled<N>(values + index)).store(values + index)
        index &+= count
      }
      return index
    }
  }
#endif

#if FLOWRT_LEVEL_3
  extension UnrolledTanh {
    /// N pairs of vectors, as in applyToPairs.
    @inline(__always) static func runPairs(_ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int) -> Int {
      var index = first
      while index &+ 32 &* N <= end {
        var v = Unrolled<N>(Register())
        for i in 0..<N { v.registers[i] = evenAndOdd(values + (index &+ 32 &* i)) }
        v = tanh(v)
        for i in 0..<N { storeTwice(v.registers[i], values + (index &+ 32 &* i)) }
        index &+= 32 &* N
      }
      return index
    }
  }
#endif

/// The even lanes of one vector and the odd ones of the next.
@inline(__always) private func evenAndOdd(_ pair: UnsafeMutablePointer<Float>) -> Lanes {
  flowrt_v_interleave(pair.lanes(0), pair.lanes(16))
}
/// Each lane to both lanes of its unit.
@inline(__always) private func storeTwice(_ v: Lanes, _ pair: UnsafeMutablePointer<Float>) {
  pair.store(flowrt_v_even_twice(v), 0)
  pair.store(flowrt_v_odd_twice(v), 16)
}

@inline(never) private func apply<F: UnaryFunction>(
  _ f: F, _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) {
  var index = first & ~15
  while index < end {
    if index >= first && index &+ 16 <= end {
      values.store(f(values.lanes(index)), index)
    } else {
      values.store(f(values.lanes(index)), index, in: first, end)
    }
    index &+= 16
  }
}

/// To the even lanes of one vector and the odd ones of the next, at once. Returns where the last pair ends.
@inline(never) private func applyToPairs<F: UnaryFunction>(
  _ f: F, _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) -> Int {
  var index = first
  while index &+ 32 <= end {
    storeTwice(f(evenAndOdd(values + index)), values + index)
    index &+= 32
  }
  return index
}
