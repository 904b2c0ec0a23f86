// Reads and validates a .flw file: header, records, and the sizes of all blocks (docs/FORMAT.md).
//
// Nothing that the file says is believed before it was compared with the bytes that are there. After this, every index and
// every size that the kernels use is known to be in range; only the values of parameters are not looked at (unless `verify`).
//
// Header and checksum: Header.swift. Each kind of record: an extension of Reader in the file of its name.

import CFlowrt
import FlowrtShim

/// The facts about a valid file.
func readModel(_ data: UnsafeRawPointer, _ size: UInt64, verify: Bool) throws(Refusal) -> flowrt_view {
  if UInt(bitPattern: data) & 63 != 0 {
    throw Refusal(
      status: FLOWRT_ERR_ALIGNMENT, expected: UInt64(FLOWRT_ALIGNMENT), found: UInt64(UInt(bitPattern: data) & 63))
  }
  if size < 64 { throw Refusal(status: FLOWRT_ERR_TRUNCATED, offset: size, expected: 64, found: size) }
  let header = try readHeader(data, size)
  if verify { try readChecksum(data, size, header.crc32) }
  var reader = Reader(data, size, header, verify: verify)
  try reader.readRecords()
  return reader.view
}

/// Walks the records and the blocks side by side.
struct Reader {
  let header: flowrt_file_header
  var blocks: Blocks
  /// The facts, as far as they are known.
  var view = flowrt_view()
  private let records: UnsafeRawPointer
  /// Index of the next record.
  private var next: UInt32 = 0

  init(_ data: UnsafeRawPointer, _ size: UInt64, _ header: flowrt_file_header, verify: Bool) {
    self.header = header
    records = data + 64
    let start = 64 &+ 64 &* UInt64(header.record_count)
    blocks = Blocks(base: data, start: start, end: size &- header.metadata_size, verify: verify)
    view.data = UInt64(UInt(bitPattern: data))
    view.data_size = size
    view.metadata_size = header.metadata_size
    view.dim = header.dim
    view.context_dim = header.context_dim
    view.encoded_dim = header.context_dim
    view.record_count = header.record_count
    view.format_version = UInt32(header.major) &* 100 &+ UInt32(header.minor)
  }

  var dim: UInt64 { UInt64(header.dim) }
  var recordsLeft: UInt32 { header.record_count &- next }

  /// The next record, which there is. The blocks that are read from now on are its.
  mutating func nextRecord() -> Record {
    let record = Record(index: next, bytes: records + 64 &* Int(truncatingIfNeeded: next))
    blocks.record = Int32(truncatingIfNeeded: next)
    next &+= 1
    return record
  }

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
        _ = try blocks.permutation(dim)
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
    // Below 2^39, since records, ranks, layers and widths are limited: only a 32-bit machine may lack the address space.
    if workspaceSize(view, UInt64(FLOWRT_TILE_ROWS)) > UInt64(UInt(bitPattern: Int.max)) {
      throw Refusal(status: FLOWRT_ERR_LIMIT)
    }
  }

  private func countRefusal(expected: UInt64) -> Refusal {
    Refusal(
      status: FLOWRT_ERR_MALFORMED, offset: UInt64(FLOWRT_HEADER_RECORD_COUNT), expected: expected,
      found: UInt64(header.record_count))
  }
}

extension Reader {
  /// What diagonal and linear steps share: a finite log_det, and no other field.
  private func checkLogDet(_ record: Record) throws(Refusal) {
    try record.requireZero(from: FLOWRT_RECORD_FIELDS, upTo: FLOWRT_CONSTANT_LOG_DET)
    try record.requireZero(from: FLOWRT_CONSTANT_RESERVED)
    let logDet = record.constant.log_det
    if logDet - logDet != 0 {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_CONSTANT_LOG_DET, logDet.bitPattern)
    }
  }

  private mutating func readDiagonal(_ record: Record) throws(Refusal) {
    try checkLogDet(record)
    try blocks.floats(dim, where: { $0 != 0 })
    _ = try blocks.floats(dim)
    view.parameter_count &+= 2 &* dim
  }

  private mutating func readLinear(_ record: Record) throws(Refusal) {
    try checkLogDet(record)
    let dim = dim
    let lines = (dim &+ 15) / 16 &* dim
    try blocks.panels(width: dim, lines: lines, panelLines: { _ in dim }, visible: { _ in dim })
    try blocks.panels(width: dim, lines: lines, panelLines: { _ in dim }, visible: { _ in dim })
    _ = try blocks.floats(dim)
    view.parameter_count &+= (2 &* dim &+ 1) &* dim
  }
}
