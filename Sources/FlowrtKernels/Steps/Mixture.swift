// A mixture of K normals whose parameters come from the network (MADE with mixture conditionals: Papamakarios et al.
// 2017, "MADE MoG"; docs/FORMAT.md section 2.7, base 5).
//
//     log p(z) = log sum_c pi_c N(z; m_c, s_c)
//
// Outputs of a rank: K logits, K means, K raw scales.

import FlowrtShim

struct Mixture {
  fileprivate let components: Int
  fileprivate let affine: Affine

  init(_ record: flowrt_step_record) {
    components = Int(record.components)
    affine = Affine(record)
  }

  /// log p(z). `p`: the raw parameters, each 16 values, `stride` floats apart.
  @inline(never) func logDensity(_ p: UnsafeMutablePointer<Float>, stride: Int, _ z: Lanes) -> Lanes {
    var joint = LogSumExp()
    for c in 0..<components {
      let (logit, mean, scale, logScale) = parameters(p, stride: stride, c)
      let standardized = (z - mean) / scale
      joint.add(fma(standardized * standardized, -0.5, logit - logScale))
    }
    return joint.total - logSumOfWeights(p, stride: stride) + Float(logNormalizer)
  }

  /// log of the sum of e^logit, which normalises the weights.
  @inline(never) fileprivate func logSumOfWeights(_ p: UnsafePointer<Float>, stride: Int) -> Lanes {
    var weights = LogSumExp()
    for c in 0..<components { weights.add(p.lanes(c &* stride)) }
    return weights.total
  }

  /// A draw: `choice`, uniform in (0, 1), picks the component, `noise` is standard normal.
  @inline(never) func draw(_ p: UnsafeMutablePointer<Float>, stride: Int, choice: Lanes, noise: Lanes) -> Lanes {
    var largest = Lanes(repeating: -.infinity)
    for c in 0..<components { largest = flowrt_v_max(largest, p.lanes(c &* stride)) }
    var sum = Lanes()
    for c in 0..<components { sum = sum + expOfNegative(p.lanes(c &* stride) - largest) }
    let target = choice * sum
    var (mean, raw) = (Lanes(), Lanes())
    var before = Lanes()
    for c in 0..<components {
      // The last component that begins at or below the target.
      mean = flowrt_v_if_less(target, before, mean, p.lanes((components &+ c) &* stride))
      raw = flowrt_v_if_less(target, before, raw, p.lanes((2 &* components &+ c) &* stride))
      before = before + expOfNegative(p.lanes(c &* stride) - largest)
    }
    return fma(affine.scale(raw).s, noise, mean)
  }

  @inline(__always) fileprivate func parameters(
    _ p: UnsafeMutablePointer<Float>, stride: Int, _ c: Int
  ) -> (logit: Lanes, mean: Lanes, scale: Lanes, logScale: Lanes) {
    let (s, logS) = affine.scale(p.lanes((2 &* components &+ c) &* stride))
    return (p.lanes(c &* stride), p.lanes((components &+ c) &* stride), s, logS)
  }
}

extension Mixture {
  /// The gradient of log p(z) by z, which is returned, and by the raw parameters p.
  ///
  /// With u = (z - mean) / s, a component has a weight pi and the share pi N(z) / p(z) of the density: by z the sum of
  /// -share u / s, by its logit share - pi, by its mean share u / s, and by log s share (u^2 - 1).
  @inline(never) func gradient(
    _ p: UnsafePointer<Float>, byParameters: UnsafeMutablePointer<Float>, stride: Int, _ z: Lanes
  ) -> Lanes {
    let raw = UnsafeMutablePointer(mutating: p)
    let total = logSumOfWeights(p, stride: stride)
    let logDensity = logDensity(raw, stride: stride, z)
    var byValue = Lanes()
    for c in 0..<components {
      let (logit, mean, scale, logScale) = parameters(raw, stride: stride, c)
      let u = (z - mean) / scale
      let logWeight = logit - total
      let square = fma(u * u, -0.5, Float(logNormalizer))
      let share = exp(square + (logWeight - logScale) - logDensity)
      let byMean = share * (u / scale)
      byValue = byValue - byMean
      byParameters.store(share - exp(logWeight), c &* stride)
      let place = (2 &* components &+ c) &* stride
      byParameters.store(share * fma(u, u, -1), place)
      // Where the mean has its gradient at last, the scale is kept for a moment.
      let meanPlace = byParameters + (components &+ c) &* stride
      meanPlace.store(scale, 0)
      affine.multiplyByLogSlope(byParameters + place, p + place, meanPlace)
      meanPlace.store(byMean, 0)
    }
    return byValue
  }
}
