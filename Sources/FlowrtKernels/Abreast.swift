// N vectors abreast: each operation is done for all of them before the next. A formula is a chain of operations that wait for
// one another; side by side, N chains take little longer than one, where the CPU alone does not look far enough ahead. (With
// 16 lanes in two registers or four, the smaller levels have that in every vector.)

import FlowrtShim

struct Abreast<let N: Int> {
  var vectors: InlineArray<N, Lanes>

  @inline(__always) init(repeating x: Float) { self.init(Lanes(repeating: x)) }
  @inline(__always) init(_ x: Lanes) { vectors = InlineArray(repeating: x) }
  /// 16 N floats.
  @inline(__always) init(_ p: UnsafePointer<Float>) {
    self.init(Lanes())
    for i in 0..<N { vectors[i] = p.lanes(i &* laneCount) }
  }
  @inline(__always) func store(_ p: UnsafeMutablePointer<Float>) {
    for i in 0..<N { p.store(vectors[i], i &* laneCount) }
  }

  @inline(__always) func map(_ f: (Lanes) -> Lanes) -> Self {
    var result = self
    for i in 0..<N { result.vectors[i] = f(vectors[i]) }
    return result
  }
  @inline(__always) func with(_ b: Self, _ f: (Lanes, Lanes) -> Lanes) -> Self {
    var result = self
    for i in 0..<N { result.vectors[i] = f(vectors[i], b.vectors[i]) }
    return result
  }
  @inline(__always) func with(_ b: Self, _ c: Self, _ f: (Lanes, Lanes, Lanes) -> Lanes) -> Self {
    var result = self
    for i in 0..<N { result.vectors[i] = f(vectors[i], b.vectors[i], c.vectors[i]) }
    return result
  }

  @inline(__always) static func + (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 + $1 } }
  @inline(__always) static func - (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 - $1 } }
  @inline(__always) static func * (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 * $1 } }
  @inline(__always) static func / (_ a: Self, _ b: Self) -> Self { a.with(b) { $0 / $1 } }
  @inline(__always) static func + (_ a: Self, _ b: Float) -> Self { a.map { $0 + b } }
  @inline(__always) static func - (_ a: Self, _ b: Float) -> Self { a.map { $0 - b } }
}

@inline(__always) func fma<let N: Int>(_ a: Abreast<N>, _ b: Abreast<N>, _ c: Abreast<N>) -> Abreast<N> {
  a.with(b, c) { fma($0, $1, $2) }
}
@inline(__always) func fma<let N: Int>(_ a: Abreast<N>, _ b: Float, _ c: Abreast<N>) -> Abreast<N> {
  a.with(c) { fma($0, b, $1) }
}
@inline(__always) func fma<let N: Int>(_ a: Abreast<N>, _ b: Abreast<N>, _ c: Float) -> Abreast<N> {
  a.with(b) { fma($0, $1, c) }
}
@inline(__always) func fma<let N: Int>(_ a: Abreast<N>, _ b: Float, _ c: Float) -> Abreast<N> {
  a.map { fma($0, b, c) }
}
@inline(__always) func negatedFma<let N: Int>(_ a: Abreast<N>, _ b: Abreast<N>, _ c: Abreast<N>) -> Abreast<N> {
  a.with(b, c) { negatedFma($0, $1, $2) }
}
@inline(__always) func negatedFma<let N: Int>(_ a: Abreast<N>, _ b: Abreast<N>, _ c: Float) -> Abreast<N> {
  a.with(b) { negatedFma($0, $1, c) }
}

@inline(__always) func atMost<let N: Int>(_ limit: Float, _ x: Abreast<N>) -> Abreast<N> { x.map { atMost(limit, $0) } }
@inline(__always) func atLeast<let N: Int>(_ limit: Float, _ x: Abreast<N>) -> Abreast<N> { x.map { atLeast(limit, $0) } }
@inline(__always) func magnitude<let N: Int>(_ x: Abreast<N>) -> Abreast<N> { x.map { magnitude($0) } }
