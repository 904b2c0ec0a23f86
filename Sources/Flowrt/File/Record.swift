// A record of the file, and how it is refused.

import CFlowrt
import FlowrtShim

/// 64 bytes, of which the first two are their kind. Fields are named by their offsets (flowrt_format.h).
struct Record {
  let index: UInt32
  let bytes: UnsafeRawPointer

  var kindField: UInt16 { bytes.load(as: UInt16.self) }
  var step: flowrt_step_record { bytes.load(as: flowrt_step_record.self) }
  var layer: flowrt_layer_record { bytes.load(as: flowrt_layer_record.self) }
  var constant: flowrt_constant_record { bytes.load(as: flowrt_constant_record.self) }

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
    if !(condition && value - value == 0) {
      throw refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_P &+ 4 &* index, UInt64(value.bitPattern))
    }
  }

  /// The bytes from one field up to another, or to the end, must be zero.
  func requireZero(from field: Int, upTo end: Int = recordBytes) throws(Refusal) {
    var i = field
    while i < end {
      let byte = bytes.load(fromByteOffset: i, as: UInt8.self)
      if byte != 0 { throw refusal(FLOWRT_ERR_MALFORMED, i, UInt64(byte)) }
      i &+= 1
    }
  }
}
