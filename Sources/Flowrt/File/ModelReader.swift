// Reads and validates a .flw file: header, records, and the sizes of all blocks (docs/FORMAT.md).
//
// Nothing that the file says is believed before it was compared with the bytes that are there. After this, every index
// and every size that the kernels use is known to be in range; only the values of parameters are not looked at (unless
// `verify`).
//
// Header and checksum: Header.swift. Each kind of record: an extension of Reader in Records/. Order of the blocks:
// Layout.swift.

import CFlowrt
import FlowrtShim

/// The facts about a valid file.
func readModel(_ data: UnsafeRawPointer, _ size: UInt64, verify: Bool) throws(Refusal) -> flowrt_view {
  let misalignment = UInt64(UInt(bitPattern: data)) & (alignment &- 1)
  if misalignment != 0 {
    throw Refusal(
      status: FLOWRT_ERR_ALIGNMENT, expected: UInt64(FLOWRT_ALIGNMENT), found: misalignment)
  }
  let headerBytes = UInt64(recordBytes)
  if size < headerBytes {
    throw Refusal(status: FLOWRT_ERR_TRUNCATED, offset: size, expected: headerBytes, found: size)
  }
  let header = try readHeader(data, size)
  if verify { try readChecksum(data, size, header.crc32) }
  var reader = Reader(data, size, header, verify: verify)
  try reader.readRecords()
  return reader.view
}

extension Reader {
  mutating func readRecords() throws(Refusal) {
    while recordsLeft > 0 {
      let record = nextRecord()
      let kind: RecordKind = try record.code(FLOWRT_RECORD_KIND, record.kindField)
      switch kind {
      case .encoder:
        try readEncoder(record)
        continue
      case .autoregressive: try readAutoregressive(record)
      case .diagonal: try readDiagonal(record)
      case .linear: try readLinear(record)
      case .elementwise: try readElementwise(record)
      case .permutation:
        try record.requireZero(from: FLOWRT_RECORD_FIELDS)
        _ = try blocks.permutation(of: dim)
      case .base:
        try readBase(record)
        return try finish()
      case .layer: throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_RECORD_KIND, UInt64(record.kindField))
      }
      view.step_count &+= 1
    }
    throw countRefusal(expected: 0)  // there is no base
  }

  /// The base comes last, and its blocks end where the metadata begins.
  private func finish() throws(Refusal) {
    if recordsLeft != 0 { throw countRefusal(expected: UInt64(next)) }
    if blocks.next != blocks.end {
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: blocks.next, expected: blocks.next, found: blocks.end)
    }
  }

  private func countRefusal(expected: UInt64) -> Refusal {
    Refusal(
      status: FLOWRT_ERR_MALFORMED, offset: UInt64(FLOWRT_HEADER_RECORD_COUNT), expected: expected,
      found: UInt64(header.record_count))
  }
}
