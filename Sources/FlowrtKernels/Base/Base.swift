// The base density of z (docs/FORMAT.md section 2.7), and draws from it.
//
//   normal        log p(z) = sum over i of -((z[i] - mean[i]) / std[i])^2 / 2 - log std[i], minus D log(2 pi) / 2;
//                 mean 0 and std 1, or constants, or functions of the context
//   uniform       log p(z) = -sum over i of log(upper[i] - lower[i]) inside of the box
//   mixture       log p(z) = log sum_c weight[c] N(z; mean_c, std_c), independent coordinates
//   autoregressive mixture: one for each coordinate, by a sweep (Mixture.swift)

import FlowrtShim

struct Base {
  let sweep: Sweep
  let density: BaseDensity
  let plan: flowrt_step_plan
  let rows, dim, rowStride: Int
  private let isTile: Bool
  let state: UnsafeMutablePointer<Float>
  private let sums: LogSum
  /// Room for `dim` logarithms.
  private let scratch: UnsafeMutablePointer<Float>

  init(_ sweep: Sweep) {
    self.sweep = sweep
    plan = sweep.call.pointee.basePlan.pointee
    density = BaseDensity(rawValue: plan.record.pointee.density).unsafelyUnwrapped
    rows = sweep.rows
    dim = sweep.dim
    rowStride = sweep.rowStride
    isTile = sweep.isTile
    state = sweep.state
    sums = LogSum(sweep.call.pointee.log_sum, rows: rows)
    scratch = sweep.call.pointee.log_scale
  }

  /// The distribution of the noise that `draw` starts from.
  static func law(_ call: UnsafePointer<flowrt_call>) -> Noise.Law {
    let record = call.pointee.basePlan.pointee.record!
    switch BaseDensity(rawValue: record.pointee.density).unsafelyUnwrapped {
    case .boxUniform: return .uniform
    case .standardNormal, .diagonalNormal, .normalMixture, .conditionalNormal, .autoregressiveMixture: return .normal
    }
  }

  /// Turns the noise in the state into draws of z. An autoregressive mixture adds -log p(z) on the way.
  func draw(_ choices: Choices) {
    switch density {
    case .standardNormal: return
    case .diagonalNormal, .conditionalNormal:
      let outputs = conditionalOutputs()
      map { i, row, noise in
        let (mean, std, _) = normal(outputs, i, row)
        return fma(std, noise, mean)
      }
    case .boxUniform:
      // Not fused: the same bits on every CPU.
      let (lower, upper) = (plan.box_uniform.lower!, plan.box_uniform.upper!)
      map { i, _, u in u * (upper[i] - lower[i]) + lower[i] }
    case .normalMixture: drawMixture(choices)
    case .autoregressiveMixture: autoregressiveMixture(choices)
    }
  }

  /// Adds sign * log p(z) to the sum of every row, coordinate after coordinate.
  func addLogDensity(sign: Float) {
    switch density {
    case .standardNormal, .diagonalNormal, .conditionalNormal: addNormal(sign)
    case .boxUniform: addUniform(sign)
    case .normalMixture: addMixture(sign)
    case .autoregressiveMixture: if sign > 0 { autoregressiveMixture(nil) }
    }
  }

  // MARK: Normal

  private func addNormal(_ sign: Float) {
    let constant = Double(sign) * Double(dim) * logNormalizer
    let high = Float(constant)
    sums.add(Lanes(repeating: high))
    sums.add(Lanes(repeating: Float(constant - Double(high))))
    if density == .diagonalNormal {
      for i in stride(from: 0, to: dim, by: laneCount) { scratch.store(log(plan.diagonal_normal.std.lanes(i)), i) }
    }
    let outputs = conditionalOutputs()
    for i in 0..<dim {
      for row in rowGroups {
        var z = value(i, row)
        if density == .standardNormal {
          sums.add(sign * -0.5 * z * z, first: row)
          continue
        }
        let (mean, std, logStd) = normal(outputs, i, row)
        z = (z - mean) / std
        sums.add(sign * -0.5 * z * z, first: row)
        sums.add(-sign * logStd, first: row)
      }
    }
  }

  /// Mean, standard deviation and its logarithm (a constant one's after `addNormal` filled the scratch).
  @inline(never) private func normal(_ outputs: Operand, _ i: Int, _ row: Int) -> (
    mean: Lanes, std: Lanes, logStd: Lanes
  ) {
    if density == .diagonalNormal {
      return (
        Lanes(repeating: plan.diagonal_normal.mean[i]), Lanes(repeating: plan.diagonal_normal.std[i]),
        Lanes(repeating: scratch[i])
      )
    }
    let logStd = output(outputs, 2 &* i &+ 1, row)
    return (output(outputs, 2 &* i, row), exp(logStd), logStd)
  }

  /// The base's layers, if it has any, for the rows at hand: of coordinate i, output 2 i is the mean, 2 i + 1 the
  /// logarithm of the standard deviation.
  @inline(never) private func conditionalOutputs() -> Operand {
    if density != .conditionalNormal { return Operand(values: nil, stride: 0, isShared: false) }
    return sweep.conditioner(of: plan).evaluate(Int(plan.record.pointee.layer_count))
  }

  func output(_ outputs: Operand, _ unit: Int, _ row: Int) -> Lanes {
    let values = outputs.values.unsafelyUnwrapped
    if isTile && !outputs.isShared { return values.lanes(unit &* rows &+ row) }
    return Lanes(repeating: values[isTile ? unit : row &* outputs.stride &+ unit])
  }

  // MARK: Uniform

  private func addUniform(_ sign: Float) {
    let (lower, upper) = (plan.box_uniform.lower!, plan.box_uniform.upper!)
    for i in stride(from: 0, to: dim, by: laneCount) { scratch.store(log(upper.lanes(i) - lower.lanes(i)), i) }
    for i in 0..<dim {
      for row in rowGroups {
        let z = value(i, row)
        // On the bounds is inside. Infinity minus itself is NaN, but such a row is excluded.
        let one = Lanes(repeating: 1)
        let isOutside = ifLess(z, lower[i], one, ifMore(z, upper[i], one, Lanes()))
        sums.exclude(isOutside, first: row)
        sums.add((z - z) - sign * scratch[i], first: row)
      }
    }
  }

  // MARK: Mixture

  /// Constants of a mixture, made once for a call: K times log weight - sum of log std - D log(2 pi) / 2, with
  /// normalised weights; then K + 1 times the sum of the weights before a component, up to a factor.
  private var constants: UnsafeMutablePointer<Float> { plan.normal_mixture.constants }
  var components: Int { Int(plan.record.pointee.components) }
  /// For each component the sum of the weights of those before it, and at last the sum of all. These weights are scaled
  /// so that the largest is 1; a number that picks a component is scaled by the sum of all.
  private var weightsBefore: UnsafeMutablePointer<Float> { constants + paddedTo16(components) }

  /// mean[D] and std[D] of a component.
  func component(_ c: Int) -> (mean: UnsafePointer<Float>, std: UnsafePointer<Float>) {
    let block = paddedTo16(dim)
    let mean = plan.normal_mixture.components! + c &* 2 &* block
    return (mean, mean + block)
  }

  /// Fills the constants of a mixture, which depend on no row. Other bases have none.
  func prepare() {
    if density != .normalMixture { return }
    let logWeight = plan.normal_mixture.log_weights!
    var largest = -Float.infinity
    for c in 0..<components { largest = logWeight[c] > largest ? logWeight[c] : largest }
    var total: Float = 0
    for c in 0..<components {
      weightsBefore[c] = total
      total += exp(Lanes(repeating: logWeight[c] - largest))[0]
    }
    weightsBefore[components] = total
    let logTotal = log(Lanes(repeating: total))[0]
    for c in 0..<components {
      let std = component(c).std
      for i in stride(from: 0, to: dim, by: laneCount) { scratch.store(log(std.lanes(i)), i) }
      var constant = Double(dim) * logNormalizer
      for i in 0..<dim { constant -= Double(scratch[i]) }
      constants[c] = Float(constant + Double(logWeight[c] - largest - logTotal))
    }
  }

  private func addMixture(_ sign: Float) {
    for row in rowGroups { sums.add(sign * logMixture(row), first: row) }
  }

  /// log p(z) of a mixture.
  @inline(never) func logMixture(_ row: Int) -> Lanes {
    var joint = LogSumExp()
    for c in 0..<components { joint.add(term(c, row)) }
    return joint.total
  }

  /// log of the weight of a component times its density.
  @inline(never) func term(_ c: Int, _ row: Int) -> Lanes {
    let (mean, std) = component(c)
    var squares = Lanes()
    for i in 0..<dim {
      let z = (value(i, row) - mean[i]) / std[i]
      squares = fma(z, z, squares)
    }
    return fma(squares, -0.5, constants[c])
  }

  private func drawMixture(_ choices: Choices) {
    for row in rowGroups {
      let target = choices.ofRows(row, 0) * weightsBefore[components]
      for i in 0..<dim {
        var (mean, std) = (Lanes(), Lanes())
        for c in 0..<components {
          // The last component that begins at or below the target.
          let before = Lanes(repeating: weightsBefore[c])
          mean = flowrt_v_if_less(target, before, mean, Lanes(repeating: component(c).mean[i]))
          std = flowrt_v_if_less(target, before, std, Lanes(repeating: component(c).std[i]))
        }
        setValue(fma(std, value(i, row), mean), i, row)
      }
    }
  }

  // MARK: Autoregressive mixture

  /// With `choices`: draws z from the noise in the state, and adds -log p(z). Without: adds log p(z).
  @inline(never) private func autoregressiveMixture(_ choices: Choices?) {
    sweep.solve(
      plan, .mixture(Mixture(plan.record.pointee)), readIndex: plan.autoregressive_mixture.index,
      otherIndex: plan.autoregressive_mixture.index,
      readIsKnown: choices == nil, choices: choices)
  }

  // MARK: Values by coordinate: of 16 rows of a tile, or of one of few rows in every lane

  /// The first rows of each group.
  private var rowGroups: StrideTo<Int> { stride(from: 0, to: rows, by: isTile ? laneCount : 1) }

  @inline(__always) private func value(_ i: Int, _ row: Int) -> Lanes {
    isTile ? state.lanes(i &* rows &+ row) : Lanes(repeating: state[row &* rowStride &+ i])
  }
  @inline(__always) private func setValue(_ value: Lanes, _ i: Int, _ row: Int) {
    if isTile { state.store(value, i &* rows &+ row) } else { state[row &* rowStride &+ i] = value[0] }
  }
  @inline(__always) private func map(_ f: (Int, Int, Lanes) -> Lanes) {
    for i in 0..<dim {
      for row in rowGroups { setValue(f(i, row, value(i, row)), i, row) }
    }
  }
}
