// N registers abreast: each operation is done for all of them before the next.
//
// A formula is a chain of operations that wait for one another. Side by side, N chains take little longer than one,
// where the CPU alone does not look far enough ahead: tanh of 16 floats is 26 instructions, which AVX-512 CPUs could do
// in 13 cycles; they take 19 for one register after the other and 15 for four abreast. With 16 floats in two registers
// or four, the other levels have enough of it in a chunk.

import FlowrtShim

struct Unrolled<let N: Int> {
  var registers: InlineArray<N, Register>
  static var count: Int { N }

  @inline(__always) init(_ x: Register) { registers = InlineArray(repeating: x) }
  @inline(__always) init(repeating x: Float) { self.init(Register(repeating: x)) }
  /// The floats from p on.
  @inline(__always) init(_ p: UnsafePointer<Float>) {
    self.init(Register())
    for i in 0..<N { registers[i] = p.register(i &* Register.scalarCount) }
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Float>) {
    for i in 0..<N { p.store(registers[i], i &* Register.scalarCount) }
  }

  @inline(__always) func map(_ f: (Register) -> Register) -> Self {
    var result = self
    for i in 0..<N { result.registers[i] = f(registers[i]) }
    return result
  }
  @inline(__always) func with(_ b: Self, _ f: (Register, Register) -> Register) -> Self {
    var result = self
    for i in 0..<N { result.registers[i] = f(registers[i], b.registers[i]) }
    return result
  }
  @inline(__always) func with(_ b: Self, _ c: Self, _ f: (Register, Register, Register) -> Register) -> Self {
    var result = self
    for i in 0..<N { result.registers[i] = f(registers[i], b.registers[i], c.registers[i]) }
    return result
  }

  @inline(__always) static func + (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 + $1 } }
  @inline(__always) static func - (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 - $1 } }
  @inline(__always) static func * (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 * $1 } }
  @inline(__always) static func / (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 / $1 } }
  @inline(__always) static func + (_ a: Self, _ b: Float) -> Self { a.map { $0 + b } }
  @inline(__always) static func - (_ a: Self, _ b: Float) -> Self { a.map { $0 - b } }
  @inline(__always) static func * (_ a: Self, _ b: Float) -> Self { a.map { $0 * b } }
}

@inline(__always) func fma<let N: Int>(_ a: Unrolled<N>, _ b: Unrolled<N>, _ c: Unrolled<N>) -> Unrolled<N> {
  a.with(b, c) { fma($0, $1, $2) }
}
@inline(__always) func fma<let N: Int>(_ a: Unrolled<N>, _ b: Float, _ c: Unrolled<N>) -> Unrolled<N> {
  a.with(c) { fma($0, b, $1) }
}
@inline(__always) func fma<let N: Int>(_ a: Unrolled<N>, _ b: Unrolled<N>, _ c: Float) -> Unrolled<N> {
  a.with(b) { fma($0, $1, c) }
}
@inline(__always) func fma<let N: Int>(_ a: Unrolled<N>, _ b: Float, _ c: Float) -> Unrolled<N> {
  a.map { fma($0, b, c) }
}
@inline(__always) func negatedFma<let N: Int>(_ a: Unrolled<N>, _ b: Unrolled<N>, _ c: Unrolled<N>) -> Unrolled<N> {
  a.with(b, c) { negatedFma($0, $1, $2) }
}

@inline(__always) func atMost<let N: Int>(_ limit: Float, _ x: Unrolled<N>) -> Unrolled<N> {
  x.map { atMost(limit, $0) }
}
@inline(__always) func atLeast<let N: Int>(_ limit: Float, _ x: Unrolled<N>) -> Unrolled<N> {
  x.map { atLeast(limit, $0) }
}
@inline(__always) func magnitude<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> { x.map { magnitude($0) } }
@inline(__always) func copySign<let N: Int>(_ magnitude: Unrolled<N>, _ sign: Unrolled<N>) -> Unrolled<N> {
  magnitude.with(sign) { copySign($0, $1) }
}

/// 16 floats.
#if FLOWRT_LEVEL_3
  typealias Chunk = Unrolled<1>
#elseif FLOWRT_LEVEL_2
  typealias Chunk = Unrolled<2>
#else
  typealias Chunk = Unrolled<4>
#endif

#if !FLOWRT_LEVEL_3
  extension Register {
    @inline(__always) init(_ x: Unrolled<1>) { self = x.registers[0] }
    @inline(__always) var chunk: Unrolled<1> { Unrolled(self) }
  }
#endif

extension Lanes {
  @inline(__always) init(_ x: Chunk) { self = unsafeBitCast(x, to: Lanes.self) }
  @inline(__always) var chunk: Chunk { unsafeBitCast(self, to: Chunk.self) }
}
