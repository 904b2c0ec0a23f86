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

/// Returns the facts about a valid file, or throws why it is refused. `data`: `size` readable bytes, which stay
/// unchanged as long as the model is used. `verify`: also check the checksum and the values of all parameters.
func readModel(_ data: UnsafeRawPointer, _ size: UInt64, verify: Bool) throws(Refusal) -> flowrt_view {
  // Kernels load whole 64-byte lines, and records are loaded as structures: both need aligned addresses.
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
  /// Reads all records in their order: at most one encoder, steps, and exactly one base (docs/FORMAT.md section 2). The
  /// layers behind a record are read along with it.
  mutating func readRecords() throws(Refusal) {
    while recordsLeft > 0 {
      let record = nextRecord()
      let kind: RecordKind = try record.code(FLOWRT_RECORD_KIND, record.kindField)
      switch kind {
      case .encoder:
        try readEncoder(record)
        // The encoder is no step: it takes no part in step_count.
        continue
      case .autoregressive: try readAutoregressive(record)
      case .diagonal: try readDiagonal(record)
      case .linear: try readLinear(record)
      case .elementwise: try readElementwise(record)
      // A permutation has no field but its kind (section 2.5).
      case .permutation:
        try record.requireZero(from: FLOWRT_RECORD_FIELDS)
        _ = try blocks.permutation(of: dim)
      case .pixelwiseLinear: try readPixelwise(record)
      case .base:
        try readBase(record)
        return try finish()
      // All layers that belong to a record were read with it, so this one belongs to none.
      case .layer: throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_RECORD_KIND, UInt64(record.kindField))
      }
      view.step_count &+= 1
    }
    throw countRefusal(expected: 0)  // there is no base
  }

  /// What must hold behind the base: no further record, and the last block ends where the metadata begins. Otherwise
  /// the file has bytes that nothing describes. And the header names the features that the file has, no others.
  private func finish() throws(Refusal) {
    if recordsLeft != 0 { throw countRefusal(expected: UInt64(next)) }
    if blocks.next != blocks.end {
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: blocks.next, expected: blocks.next, found: blocks.end)
    }
    let features = view.planes_size == 0 ? 0 : UInt32(FLOWRT_FEATURE_PLANES)
    if header.features != features {
      throw Refusal(
        status: FLOWRT_ERR_MALFORMED, offset: UInt64(FLOWRT_HEADER_FEATURES), expected: UInt64(features),
        found: UInt64(header.features))
    }
  }

  /// The header's record count contradicts the records. `expected`: the count that would fit them, 0 if unknown.
  private func countRefusal(expected: UInt64) -> Refusal {
    Refusal(
      status: FLOWRT_ERR_MALFORMED, offset: UInt64(FLOWRT_HEADER_RECORD_COUNT), expected: expected,
      found: UInt64(header.record_count))
  }
}
