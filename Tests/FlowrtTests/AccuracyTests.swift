// Errors of the elementary functions, in units in the last place, against float64.
//
// By default every 61st float32; all 2^32 of them with FLOWRT_ALL_FLOATS=1 (docs/ACCURACY.md holds the maxima).

import FlowrtShim
import Foundation
import Testing

@testable import FlowrtKernels

/// The largest error of `f` over the inputs from `first` to `last` of either sign, in ULP of the exact result.
private func worstError(
  _ name: String, magnitudesFrom first: Float = 0, upTo last: Float = .infinity, signs: [UInt32] = [0, 0x8000_0000],
  _ f: (Lanes) -> Lanes, _ exact: (Double) -> Double
) -> Double {
  let step: UInt32 = ProcessInfo.processInfo.environment["FLOWRT_ALL_FLOATS"] == "1" ? 1 : 61
  var worst = 0.0
  var worstAt: Float = 0
  for sign in signs {
    var next = first.bitPattern
    while next <= last.bitPattern {
      var x = Lanes()
      for lane in 0..<16 { x[lane] = Float(bitPattern: min(next &+ UInt32(lane) &* step, last.bitPattern) | sign) }
      let y = f(x)
      for lane in 0..<16 {
        let error = ulps(y[lane], exact(Double(x[lane])))
        if !(error <= worst) { (worst, worstAt) = (error, x[lane]) }
      }
      next &+= 16 &* step
    }
  }
  print("\(name): \((worst * 1000).rounded() / 1000) ULP at \(worstAt)")
  return worst
}

/// |found - exact| in units of the last place of a float32 near `exact`. Infinity for a wrong special value.
private func ulps(_ found: Float, _ exact: Double) -> Double {
  if exact.isNaN || found.isNaN { return exact.isNaN && found.isNaN ? 0 : .infinity }
  let rounded = Float(exact)
  if rounded.isInfinite || found.isInfinite {
    // Around the overflow threshold either neighbour will do.
    let nearest = Float.greatestFiniteMagnitude
    return rounded == found
      || (abs(exact) > 0.9999999 * Double(nearest) && abs(found) >= nearest && (found < 0) == (exact < 0))
      ? 0 : .infinity
  }
  let spacing = Swift.max(abs(rounded), Float.leastNormalMagnitude).ulp
  return abs(Double(found) - exact) / Double(spacing)
}

@Suite struct Accuracy {
  @Test func exponential() {
    #expect(worstError("exp", { exp($0) }, { Foundation.exp($0) }) <= 1)
  }
  @Test func expm1OfNegatives() {
    #expect(
      worstError("expm1, x <= 0", signs: [0x8000_0000], { Lanes(expm1OfNegative($0.chunk)) }, { Foundation.expm1($0) })
        <= 2)
  }
  @Test func logarithm() {
    #expect(worstError("log", { log($0) }, { Foundation.log($0) }) <= 1)
  }
  @Test(arguments: [true, false]) func logarithmOfNormals(fused: Bool) {
    let error = worstError(
      fused ? "log of normals" : "log of normals, unfused", magnitudesFrom: .leastNormalMagnitude,
      upTo: .greatestFiniteMagnitude, signs: [0], { Lanes(logOfNormal($0.chunk, fused: fused)) },
      { Foundation.log($0) })
    #expect(error <= 1)
  }
  @Test func hyperbolicTangent() {
    #expect(worstError("tanh", { tanh($0) }, { Foundation.tanh($0) }) <= 2)
  }
  @Test func sigmoidFunction() {
    #expect(worstError("sigmoid", { sigmoid($0) }, { 1 / (1 + Foundation.exp(-$0)) }) <= 2)
  }
  @Test func softplusFunction() {
    #expect(
      worstError("softplus", { softplus($0) }, { Swift.max($0, 0) + Foundation.log1p(Foundation.exp(-abs($0))) }) <= 2)
  }
  @Test func errorFunction() {
    #expect(worstError("erf", { erf($0) }, { Foundation.erf($0) }) <= 2)
  }
  @Test func arctangent() {
    #expect(worstError("atan", { atan($0) }, { Foundation.atan($0) }) <= 2)
  }
  @Test func inverseHyperbolicSine() {
    #expect(worstError("asinh", { asinh($0) }, { Foundation.asinh($0) }) <= 2)
  }
  /// Beyond 25,000 the reduction is no longer exact, and an activation there means nothing.
  @Test func sine() {
    #expect(worstError("sin, |x| <= 25000", upTo: 25_000, { sin($0) }, { Foundation.sin($0) }) <= 2)
  }
  /// The quantile that Newton's iteration on erfc finds from a start of 4 digits.
  @Test func quantile() {
    func exact(_ p: Double) -> Double {
      if p == 0.5 { return 0 }
      if p <= 0 || p >= 1 { return p < 0 || p > 1 ? .nan : p == 0 ? -.infinity : .infinity }
      let tail = Swift.min(p, 1 - p)
      let t = (-2 * Foundation.log(tail)).squareRoot()
      // Abramowitz and Stegun 26.2.23
      var z =
        (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t
      for _ in 0..<4 {
        let density = Foundation.exp(-z * z / 2) / (2 * Double.pi).squareRoot()
        z -= (0.5 * Foundation.erfc(-z / 2.0.squareRoot()) - tail) / density
      }
      return p < 0.5 ? z : -z
    }
    let below = worstError(
      "probit, p", upTo: 1, signs: [0], { eachRegister($0) { probit($0, complement: 1 - $0) } }, exact)
    let above = worstError(
      "probit, 1 - p <= 0.15", upTo: 0.15, signs: [0], { eachRegister($0) { probit(1 - $0, complement: $0) } }, { -exact($0) })
    #expect(Swift.max(below, above) <= 2)
  }
  /// The turns that Box-Muller uses; the error near a zero of the function counts against its largest value.
  @Test func sineAndCosine() {
    let sine = worstError(
      "sin(2 pi t), |t| <= 1/2, absolute in 2^-24", upTo: 0.5,
      { eachRegister($0) { sinCosTurns($0).sine + 1.5 } },
      { Foundation.sin(2 * .pi * $0) + 1.5 })
    #expect(sine <= 2)
    let cosine = worstError(
      "cos(2 pi t), |t| <= 1/2, absolute in 2^-24", upTo: 0.5,
      { eachRegister($0) { sinCosTurns($0).cosine + 1.5 } },
      { Foundation.cos(2 * .pi * $0) + 1.5 })
    #expect(cosine <= 2)
  }
}
