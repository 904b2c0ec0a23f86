// The header of a file and its checksum (docs/FORMAT.md section 1).

import CFlowrt
import FlowrtShim

/// Reads and checks the header (docs/FORMAT.md section 1). `data` has at least 64 bytes, which the caller checked, and
/// begins at a multiple of 64. `size`: bytes that the caller has. A refusal names the field by its offset.
func readHeader(_ data: UnsafeRawPointer, _ size: UInt64) throws(Refusal) -> flowrt_file_header {
  // The magic comes first: of a file of another kind no other field means anything.
  let magic: InlineArray<8, UInt8> = [0x89, 0x46, 0x4C, 0x57, 0x0D, 0x0A, 0x1A, 0x0A]
  for i in 0..<8 {
    let byte = data.load(fromByteOffset: i, as: UInt8.self)
    if byte != magic[unchecked: i] {
      throw Refusal(
        status: FLOWRT_ERR_MAGIC, offset: UInt64(i), expected: UInt64(magic[unchecked: i]), found: UInt64(byte))
    }
  }
  /// Throws a refusal at `field`, the offset of a header field in bytes. `found` and `expected` are its values.
  func refuse(_ status: flowrt_status, _ field: Int, _ found: UInt64, expected: UInt64 = 0) throws(Refusal) {
    throw Refusal(status: status, offset: UInt64(truncatingIfNeeded: field), expected: expected, found: found)
  }
  // `data` is aligned to 64 bytes (ModelReader.swift), which this load as a structure needs.
  let header = data.load(as: flowrt_file_header.self)
  // In 64 bits no sum or product of these 32-bit fields below wraps around.
  let (dim, contextDim) = (UInt64(header.dim), UInt64(header.context_dim))
  let count = UInt64(header.record_count)
  // Minor versions are not compared: a file of a later one is refused only by what it uses (section 7).
  if header.major != 1 { try refuse(FLOWRT_ERR_VERSION, FLOWRT_HEADER_MAJOR, UInt64(header.major), expected: 1) }
  // Bits of known features are compared with the records behind the last one (ModelReader.swift).
  if header.features & ~UInt32(FLOWRT_FEATURE_PLANES) != 0 {
    try refuse(FLOWRT_ERR_FEATURE, FLOWRT_HEADER_FEATURES, UInt64(header.features))
  }
  // A download that was cut off is found here, before any block is read.
  if header.file_size != size {
    try refuse(FLOWRT_ERR_TRUNCATED, FLOWRT_HEADER_FILE_SIZE, size, expected: header.file_size)
  }
  // The limits of section 6. Products such as (2 dim + 1) dim (Records/ConstantReader.swift) stay far below 2^64, and
  // so do sums over 65536 records of what their widths allow.
  if dim == 0 { try refuse(FLOWRT_ERR_MALFORMED, FLOWRT_HEADER_DIM, 0) }
  if dim > maximumDim { try refuse(FLOWRT_ERR_LIMIT, FLOWRT_HEADER_DIM, dim, expected: maximumDim) }
  if contextDim > maximumContextDim {
    try refuse(FLOWRT_ERR_LIMIT, FLOWRT_HEADER_CONTEXT_DIM, contextDim, expected: maximumContextDim)
  }
  if count > maximumRecords {
    try refuse(FLOWRT_ERR_LIMIT, FLOWRT_HEADER_RECORD_COUNT, count, expected: maximumRecords)
  }
  // The records must lie in the file. After this, `records + 64 * index` is in bounds for every index < record_count.
  let records = UInt64(recordBytes) &* (1 &+ count)
  if records > size { try refuse(FLOWRT_ERR_MALFORMED, FLOWRT_HEADER_RECORD_COUNT, count) }
  // Subtracted rather than added, since records + metadata_size could wrap around. After this, the blocks begin
  // no later than the metadata: records <= size - metadata_size.
  if header.metadata_size > size &- records {
    try refuse(
      FLOWRT_ERR_MALFORMED, FLOWRT_HEADER_METADATA_SIZE, header.metadata_size, expected: size &- records)
  }
  // Reserved bytes must be zero, so that a later version can give them a meaning (section 7).
  for i in FLOWRT_HEADER_RESERVED..<recordBytes {
    let byte = data.load(fromByteOffset: i, as: UInt8.self)
    if byte != 0 { try refuse(FLOWRT_ERR_MALFORMED, i, UInt64(byte)) }
  }
  return header
}

/// Checks the CRC-32 of all `size` bytes, with the four bytes of the checksum taken as zero (section 1). `stored`: the
/// field of the header. It costs one pass over the file, so it runs for FLOWRT_OPEN_VERIFY alone.
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
