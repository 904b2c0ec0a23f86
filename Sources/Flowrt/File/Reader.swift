// The state of reading a file: the next record, the blocks from the next one on, and the facts that were found.
//
// Who reads what: ModelReader.swift the sequence of records, the files of Records/ one kind of record each,
// Blocks.swift a block.

import CFlowrt
import FlowrtShim

/// Walks the records and the blocks side by side.
struct Reader {
  /// The header, whose fields are checked (Header.swift).
  let header: flowrt_file_header
  /// The blocks, from the next one that no record has taken yet.
  var blocks: Blocks
  /// The facts, as far as they are known.
  var view = flowrt_view()
  /// The first record, behind the header.
  private let records: UnsafeRawPointer
  /// Index of the next record.
  private(set) var next: UInt32 = 0

  init(_ data: UnsafeRawPointer, _ size: UInt64, _ header: flowrt_file_header, verify: Bool) {
    self.header = header
    records = data + recordBytes
    // Header.swift made sure that start <= size - metadata_size.
    let start = UInt64(recordBytes) &* (1 &+ UInt64(header.record_count))
    blocks = Blocks(base: data, start: start, end: size &- header.metadata_size, verify: verify)
    view.data = UInt64(UInt(bitPattern: data))
    view.data_size = size
    view.metadata_size = header.metadata_size
    view.dim = header.dim
    view.context_dim = header.context_dim
    // Without an encoder the steps see the caller's context itself. readEncoder sets it to the encoder's outputs.
    view.encoded_dim = header.context_dim
    view.record_count = header.record_count
    view.format_version = UInt32(header.major) &* 100 &+ UInt32(header.minor)
  }

  /// D, 1 to 2^24. The type is that of all sizes in this reader.
  var dim: UInt64 { UInt64(header.dim) }
  /// Records that were not read yet. It does not wrap around: `next` never passes the count.
  var recordsLeft: UInt32 { header.record_count &- next }

  /// Returns the next record; the blocks that are read from now on are its own. On entry recordsLeft > 0: otherwise the
  /// bytes behind the records would be taken for one.
  mutating func nextRecord() -> Record {
    let record = Record(index: next, bytes: records + recordBytes &* Int(truncatingIfNeeded: next))
    blocks.record = Int32(truncatingIfNeeded: next)
    next &+= 1
    return record
  }
}
