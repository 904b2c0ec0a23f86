// The header of a file and its checksum (docs/FORMAT.md section 1).

import CFlowrt
import FlowrtShim

/// The header of a file of at least 64 bytes.
func readHeader(_ data: UnsafeRawPointer, _ size: UInt64) throws(Refusal) -> flowrt_file_header {
  let magic: InlineArray<8, UInt8> = [0x89, 0x46, 0x4C, 0x57, 0x0D, 0x0A, 0x1A, 0x0A]
  for i in 0..<8 {
    let byte = data.load(fromByteOffset: i, as: UInt8.self)
    if byte != magic[unchecked: i] {
      throw Refusal(
        status: FLOWRT_ERR_MAGIC, offset: UInt64(i), expected: UInt64(magic[unchecked: i]), found: UInt64(byte))
    }
  }
  func refuse(_ status: flowrt_status, _ field: Int, _ found: UInt64, expected: UInt64 = 0) throws(Refusal) {
    throw Refusal(status: status, offset: UInt64(truncatingIfNeeded: field), expected: expected, found: found)
  }
  let header = data.load(as: flowrt_file_header.self)
  let (dim, contextDim) = (UInt64(header.dim), UInt64(header.context_dim))
  let count = UInt64(header.record_count)
  if header.major != 1 { try refuse(FLOWRT_ERR_VERSION, FLOWRT_HEADER_MAJOR, UInt64(header.major), expected: 1) }
  if header.features != 0 { try refuse(FLOWRT_ERR_FEATURE, FLOWRT_HEADER_FEATURES, UInt64(header.features)) }
  if header.file_size != size {
    try refuse(FLOWRT_ERR_TRUNCATED, FLOWRT_HEADER_FILE_SIZE, size, expected: header.file_size)
  }
  if dim == 0 { try refuse(FLOWRT_ERR_MALFORMED, FLOWRT_HEADER_DIM, 0) }
  if dim > maximumDim { try refuse(FLOWRT_ERR_LIMIT, FLOWRT_HEADER_DIM, dim, expected: maximumDim) }
  if contextDim > maximumContextDim {
    try refuse(FLOWRT_ERR_LIMIT, FLOWRT_HEADER_CONTEXT_DIM, contextDim, expected: maximumContextDim)
  }
  if count > maximumRecords {
    try refuse(FLOWRT_ERR_LIMIT, FLOWRT_HEADER_RECORD_COUNT, count, expected: maximumRecords)
  }
  let records = UInt64(recordBytes) &* (1 &+ count)
  if records > size { try refuse(FLOWRT_ERR_MALFORMED, FLOWRT_HEADER_RECORD_COUNT, count) }
  if header.metadata_size > size &- records {
    try refuse(
      FLOWRT_ERR_MALFORMED, FLOWRT_HEADER_METADATA_SIZE, header.metadata_size, expected: size &- records)
  }
  for i in FLOWRT_HEADER_RESERVED..<recordBytes {
    let byte = data.load(fromByteOffset: i, as: UInt8.self)
    if byte != 0 { try refuse(FLOWRT_ERR_MALFORMED, i, UInt64(byte)) }
  }
  return header
}

/// CRC-32 of the whole file, with zeros in the place of the checksum itself.
func readChecksum(_ data: UnsafeRawPointer, _ size: UInt64, _ stored: UInt32) throws(Refusal) {
  let field = UInt64(FLOWRT_HEADER_CRC32)
  var crc = Crc32()
  var i: UInt64 = 0
  while i < size {
    let isField = i >= field && i < field &+ 4
    crc.add(isField ? 0 : data.load(fromByteOffset: Int(truncatingIfNeeded: i), as: UInt8.self))
    i &+= 1
  }
  if crc.value != stored {
    throw Refusal(status: FLOWRT_ERR_CHECKSUM, offset: field, expected: UInt64(stored), found: UInt64(crc.value))
  }
}
