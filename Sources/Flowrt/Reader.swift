// Reads and validates a .flw file: header, records, and the sizes of all blocks (docs/FORMAT.md).
//
// Nothing that the file says is believed before it was compared with the bytes that are there. After this, every index and
// every size that the kernels use is known to be in range; only the values of parameters are not looked at (unless `verify`).

import CFlowrt
import FlowrtShim

private let maximumDim: UInt64 = 65_536
private let maximumRecords: UInt64 = 65_536

/// Byte offsets of header fields.
private enum Field {
  static let major: UInt64 = 8
  static let crc32: UInt64 = 12
  static let fileSize: UInt64 = 16
  static let features: UInt64 = 24
  static let dim: UInt64 = 28
  static let contextDim: UInt64 = 32
  static let recordCount: UInt64 = 36
  static let metadataSize: UInt64 = 40
  static let reserved: UInt64 = 48
}

/// The facts about a valid file.
func readModel(_ data: UnsafeRawPointer, _ size: UInt64, verify: Bool) throws(Refusal) -> flowrt_view {
  if UInt(bitPattern: data) & 63 != 0 {
    throw Refusal(
      status: FLOWRT_ERR_ALIGNMENT, expected: UInt64(FLOWRT_ALIGNMENT), found: UInt64(UInt(bitPattern: data) & 63))
  }
  if size < 64 { throw Refusal(status: FLOWRT_ERR_TRUNCATED, offset: size, expected: 64, found: size) }
  let header = data.load(as: flowrt_file_header.self)
  try readHeader(data, header, size)
  if verify { try readChecksum(data, size, header.crc32) }

  var view = flowrt_view()
  view.data = UInt64(UInt(bitPattern: data))
  view.data_size = size
  view.metadata_size = header.metadata_size
  view.dim = header.dim
  view.context_dim = header.context_dim
  view.encoded_dim = header.context_dim
  view.record_count = header.record_count
  view.format_version = UInt32(header.major) &* 100 &+ UInt32(header.minor)

  let dim = UInt64(header.dim)
  let start = 64 &+ 64 &* UInt64(header.record_count)
  var blocks = Blocks(base: data, start: start, end: size &- header.metadata_size, verify: verify)
  var index: UInt32 = 0
  while true {
    let offset = 64 &+ 64 &* UInt64(index)
    if index >= header.record_count {
      blocks.record = -1
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: Field.recordCount, found: UInt64(header.record_count))
    }
    blocks.record = Int32(truncatingIfNeeded: index)
    let record = (data + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: flowrt_step_record.self)
    index &+= 1
    switch Int(record.pointee.kind) {
    case FLOWRT_RECORD_ENCODER:
      if index != 1 { throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset, found: UInt64(record.pointee.kind)) }
      index &+= try readEncoder(record, offset, header, index, &blocks, &view)
      continue
    case FLOWRT_RECORD_AUTOREGRESSIVE:
      index &+= try readAutoregressive(record, offset, header, index, &blocks, &view)
    case FLOWRT_RECORD_DIAGONAL:
      try readDiagonal(record, offset, dim, &blocks, &view)
    case FLOWRT_RECORD_LINEAR:
      try readLinear(record, offset, dim, &blocks, &view)
    case FLOWRT_RECORD_ELEMENTWISE:
      try readElementwise(record, offset, dim, &blocks, &view)
    case FLOWRT_RECORD_PERMUTATION:
      try requireZero(UnsafeRawPointer(record), offset, from: 2, blocks)
      _ = try blocks.permutation(dim)
    case FLOWRT_RECORD_BASE:
      index &+= try readBase(record, offset, header, index, &blocks, &view)
      if index != header.record_count {
        blocks.record = -1
        throw blocks.refusal(
          FLOWRT_ERR_MALFORMED, offset: Field.recordCount, expected: UInt64(index), found: UInt64(header.record_count))
      }
      if blocks.next != blocks.end {
        throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: blocks.next, expected: blocks.next, found: blocks.end)
      }
      // Below 2^39, since records, ranks, layers and widths are limited: only a 32-bit machine may lack the address space.
      if workspaceSize(view, UInt64(FLOWRT_TILE_ROWS)) > UInt64(UInt(bitPattern: Int.max)) {
        throw Refusal(status: FLOWRT_ERR_LIMIT)
      }
      return view
    case FLOWRT_RECORD_LAYER:
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset, found: UInt64(record.pointee.kind))
    default:
      throw blocks.refusal(FLOWRT_ERR_FEATURE, offset: offset, found: UInt64(record.pointee.kind))
    }
    view.step_count &+= 1
  }
}

private func readHeader(_ data: UnsafeRawPointer, _ header: flowrt_file_header, _ size: UInt64) throws(Refusal) {
  let magic: InlineArray<8, UInt8> = [0x89, 0x46, 0x4C, 0x57, 0x0D, 0x0A, 0x1A, 0x0A]
  for i in 0..<8 {
    let byte = data.load(fromByteOffset: i, as: UInt8.self)
    if byte != magic[unchecked: i] {
      throw Refusal(
        status: FLOWRT_ERR_MAGIC, offset: UInt64(i), expected: UInt64(magic[unchecked: i]), found: UInt64(byte))
    }
  }
  func refuse(_ status: flowrt_status, _ offset: UInt64, expected: UInt64 = 0, found: UInt64) throws(Refusal) {
    throw Refusal(status: status, offset: offset, expected: expected, found: found)
  }
  if header.major != 1 { try refuse(FLOWRT_ERR_VERSION, Field.major, expected: 1, found: UInt64(header.major)) }
  if header.features != 0 { try refuse(FLOWRT_ERR_FEATURE, Field.features, found: UInt64(header.features)) }
  if header.file_size != size {
    try refuse(FLOWRT_ERR_TRUNCATED, Field.fileSize, expected: header.file_size, found: size)
  }
  if header.dim == 0 { try refuse(FLOWRT_ERR_MALFORMED, Field.dim, found: 0) }
  if header.dim > maximumDim {
    try refuse(FLOWRT_ERR_LIMIT, Field.dim, expected: maximumDim, found: UInt64(header.dim))
  }
  if header.context_dim > maximumDim {
    try refuse(FLOWRT_ERR_LIMIT, Field.contextDim, expected: maximumDim, found: UInt64(header.context_dim))
  }
  if header.record_count > maximumRecords {
    try refuse(FLOWRT_ERR_LIMIT, Field.recordCount, expected: maximumRecords, found: UInt64(header.record_count))
  }
  let records = 64 &+ 64 &* UInt64(header.record_count)
  if records > size { try refuse(FLOWRT_ERR_MALFORMED, Field.recordCount, found: UInt64(header.record_count)) }
  if header.metadata_size > size &- records {
    try refuse(FLOWRT_ERR_MALFORMED, Field.metadataSize, expected: size &- records, found: header.metadata_size)
  }
  var i: UInt64 = 0
  while i < 64 &- Field.reserved {
    let offset = Field.reserved &+ i
    let byte = data.load(fromByteOffset: Int(truncatingIfNeeded: offset), as: UInt8.self)
    if byte != 0 { try refuse(FLOWRT_ERR_MALFORMED, offset, found: UInt64(byte)) }
    i &+= 1
  }
}

private func readChecksum(_ data: UnsafeRawPointer, _ size: UInt64, _ stored: UInt32) throws(Refusal) {
  var crc = Crc32()
  var i: UInt64 = 0
  while i < size {
    let isField = i >= Field.crc32 && i < Field.crc32 &+ 4
    crc.add(isField ? 0 : data.load(fromByteOffset: Int(truncatingIfNeeded: i), as: UInt8.self))
    i &+= 1
  }
  if crc.value != stored {
    throw Refusal(
      status: FLOWRT_ERR_CHECKSUM, offset: Field.crc32, expected: UInt64(stored), found: UInt64(crc.value))
  }
}

/// Bytes from ..< to of a record must be zero.
func requireZero(
  _ record: UnsafeRawPointer, _ offset: UInt64, from: UInt64, to: UInt64 = 64, _ blocks: Blocks
) throws(Refusal) {
  var i = from
  while i < to {
    let byte = record.load(fromByteOffset: Int(truncatingIfNeeded: i), as: UInt8.self)
    if byte != 0 { throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ i, found: UInt64(byte)) }
    i &+= 1
  }
}

/// The fields that diagonal and linear steps share: a finite log_det, and nothing else.
private func readConstant(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ blocks: Blocks
) throws(Refusal) {
  let raw = UnsafeRawPointer(record)
  try requireZero(raw, offset, from: 2, to: 8, blocks)
  try requireZero(raw, offset, from: 16, blocks)
  let logDet = raw.load(fromByteOffset: 8, as: Double.self)
  if logDet - logDet != 0 {
    throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ 8, found: logDet.bitPattern)
  }
}

private func readDiagonal(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ dim: UInt64, _ blocks: inout Blocks,
  _ view: inout flowrt_view
) throws(Refusal) {
  try readConstant(record, offset, blocks)
  let start = blocks.next
  let scale = try blocks.floats(dim)
  var i: UInt64 = 0
  while i < dim {
    if blocks.verify && scale[Int(truncatingIfNeeded: i)] == 0 {
      throw blocks.refusal(FLOWRT_ERR_VALUE, offset: start &+ 4 &* i)
    }
    i &+= 1
  }
  _ = try blocks.floats(dim)
  view.parameter_count &+= 2 &* dim
}

private func readLinear(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ dim: UInt64, _ blocks: inout Blocks,
  _ view: inout flowrt_view
) throws(Refusal) {
  try readConstant(record, offset, blocks)
  let lines = (dim &+ 15) / 16 &* dim
  try blocks.panels(width: dim, lines: lines, panelLines: { _ in dim }, visible: { _ in dim })
  try blocks.panels(width: dim, lines: lines, panelLines: { _ in dim }, visible: { _ in dim })
  _ = try blocks.floats(dim)
  view.parameter_count &+= (2 &* dim &+ 1) &* dim
}
