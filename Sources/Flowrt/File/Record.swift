// A record of the file, and how it is refused.

import CFlowrt
import FlowrtShim

/// The 64 bytes of a record, the first two of which are its kind (docs/FORMAT.md section 2). Fields are named by their
/// offsets in bytes (flowrt_format.h).
struct Record {
  /// Place among the records, from 0. Refusals name it.
  let index: UInt32
  /// The first byte, a multiple of 64, so all loads below are aligned. All 64 bytes lie in the file (Header.swift).
  let bytes: UnsafeRawPointer

  /// The kind as it is stored. It may be a number that is no kind.
  var kindField: UInt16 { bytes.load(as: UInt16.self) }
  // The same 64 bytes as each of the structures that a kind may have. Whoever asks must know the kind.
  var step: flowrt_step_record { bytes.load(as: flowrt_step_record.self) }
  var layer: flowrt_layer_record { bytes.load(as: flowrt_layer_record.self) }
  var constant: flowrt_constant_record { bytes.load(as: flowrt_constant_record.self) }
  var pixelwise: flowrt_pixelwise_record { bytes.load(as: flowrt_pixelwise_record.self) }

  /// A refusal at `field`, an offset in this record. The header is as long as a record, so record `index` begins at
  /// byte 64 (1 + index) of the file.
  func refusal(_ status: flowrt_status, _ field: Int, _ found: UInt64, expected: UInt64 = 0) -> Refusal {
    Refusal(
      status: status, record: Int32(truncatingIfNeeded: index),
      offset: UInt64(recordBytes) &* (1 &+ UInt64(index)) &+ UInt64(truncatingIfNeeded: field), expected: expected,
      found: found)
  }

  /// A field as one of its codes. A number that is no code is a feature that this version does not have.
  func code<Code: RawRepresentable>(_ field: Int, _ number: UInt16) throws(Refusal) -> Code
  where Code.RawValue == UInt16 {
    guard let code = Code(rawValue: number) else { throw refusal(FLOWRT_ERR_FEATURE, field, UInt64(number)) }
    return code
  }

  /// Constant `index` of a transformer must be finite, and as the condition says.
  func requireConstant(_ index: Int, _ value: Float, _ condition: Bool = true) throws(Refusal) {
    // value - value is NaN, and not 0, if the value is NaN or infinite.
    if !(condition && value - value == 0) {
      throw refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_P &+ 4 &* index, UInt64(value.bitPattern))
    }
  }

  /// The bytes from one field up to another, or to the end, must be zero.
  func requireZero(from field: Int, upTo end: Int = recordBytes) throws(Refusal) {
    // Byte by byte, so that the refusal names the first wrong one.
    var i = field
    while i < end {
      let byte = bytes.load(fromByteOffset: i, as: UInt8.self)
      if byte != 0 { throw refusal(FLOWRT_ERR_MALFORMED, i, UInt64(byte)) }
      i &+= 1
    }
  }
}
