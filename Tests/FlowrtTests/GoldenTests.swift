// The golden files (Tests/golden) through the library's API: what the frameworks computed, in float64.

import CFlowrt
import Flowrt
import Foundation
import Testing

private let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("golden")

private let cases: [String] = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
  .filter { $0.hasSuffix(".flw") }.map { String($0.dropLast(4)) }.sorted()

/// The numbers of a .golden file (layout: Tests/golden/README.md).
private struct Golden {
  let rows, dim, contextDim: Int
  let x, context, z, logDet, logProb, noise, xInverse, logDetInverse: [Double]
  let zError, logProbError, xError: Double

  init(_ data: Data) throws {
    func word(_ i: Int) -> Int {
      Int(data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8 + 4 * i, as: UInt32.self) })
    }
    let (rows, dim, contextDim) = (word(0), word(1), word(2))
    var offset = 24
    func take(_ count: Int) -> [Double] {
      defer { offset += 8 * count }
      return (0..<count).map { i in
        data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset + 8 * i, as: Double.self) }
      }
    }
    (self.rows, self.dim, self.contextDim) = (rows, dim, contextDim)
    (x, context, z, logDet, logProb) = (
      take(rows * dim), take(rows * contextDim), take(rows * dim), take(rows), take(rows)
    )
    (noise, xInverse, logDetInverse) = (take(rows * dim), take(rows * dim), take(rows))
    _ = take(rows * dim + rows)  // samples: the C tests have them
    (zError, logProbError, xError) = (take(1)[0], take(1)[0], take(1)[0])
    #expect(offset == data.count)
  }
}

/// 64-byte aligned memory for the time of a test.
private final class Aligned {
  let base: UnsafeMutableRawPointer
  let count: Int
  init(_ count: Int) {
    base = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 64)
    self.count = count
  }
  deinit { base.deallocate() }
}

private func expectClose(_ found: [Float], _ exact: [Double], allowed: Double, _ what: String) {
  for (f, e) in zip(found, exact) {
    let limit = allowed + 16 * 0x1p-24 * (1 + abs(e))
    #expect(abs(Double(f) - e) <= limit, "\(what): \(f), not \(e)")
  }
}

@Suite struct GoldenFiles {
  @Test func thereAreSome() { #expect(cases.count >= 240) }

  @Test(arguments: cases) func agrees(name: String) throws {
    let file = try Data(contentsOf: folder.appendingPathComponent(name + ".flw"))
    let golden = try Golden(Data(contentsOf: folder.appendingPathComponent(name + ".golden")))
    let bytes = Aligned(file.count)
    file.copyBytes(to: bytes.base.assumingMemoryBound(to: UInt8.self), count: file.count)
    var model = flowrt_model()
    #expect(flowrt_model_open(&model, bytes.base, file.count, UInt32(FLOWRT_OPEN_VERIFY), nil) == FLOWRT_OK)

    let rows = golden.rows
    let workspace = Aligned(flowrt_workspace_size(&model, rows))
    let context = golden.context.map { Float($0) }
    let contextRows = golden.contextDim == 0 ? 0 : rows
    var values = [Float](repeating: 0, count: rows * golden.dim)
    var logs = [Float](repeating: 0, count: rows)
    func withContext(_ call: (UnsafePointer<Float>?) -> flowrt_status) -> flowrt_status {
      golden.contextDim == 0 ? call(nil) : context.withUnsafeBufferPointer { call($0.baseAddress) }
    }

    let x = golden.x.map { Float($0) }
    #expect(
      withContext { flowrt_forward(&model, rows, x, $0, contextRows, &values, &logs, workspace.base, workspace.count) }
        == FLOWRT_OK)
    expectClose(values, golden.z, allowed: 2 * golden.zError, "z")
    expectClose(logs, golden.logDet, allowed: 2 * golden.logProbError, "log_det")
    #expect(
      withContext { flowrt_log_prob(&model, rows, x, $0, contextRows, &logs, workspace.base, workspace.count) }
        == FLOWRT_OK)
    expectClose(logs, golden.logProb, allowed: 2 * golden.logProbError, "log p")
    let noise = golden.noise.map { Float($0) }
    #expect(
      withContext {
        flowrt_inverse(&model, rows, noise, $0, contextRows, &values, &logs, workspace.base, workspace.count)
      } == FLOWRT_OK)
    expectClose(values, golden.xInverse, allowed: 2 * golden.xError, "x")
    expectClose(logs, golden.logDetInverse, allowed: 2 * golden.logProbError, "log_det of the inverse")
  }
}
