// The view inside a flowrt_model, and how one that is open is told from other bytes.

import CFlowrt
import FlowrtShim

/// Words of 64 bits that a view has.
let viewWords = 32

/// A hash of all words of a view but the tag. Each step is one-to-one, so that a change of any word changes the hash.
/// Its last bit is set, so that zeros are no open model.
func tag(_ view: UnsafePointer<flowrt_view>) -> UInt64 {
  let words = UnsafeRawPointer(view).assumingMemoryBound(to: UInt64.self)
  var hash: UInt64 = 0x666C_6F77_7274_0001
  for i in 1..<viewWords { hash = (hash ^ words[i]) &* 0x9E37_79B9_7F4A_7C15 }
  return hash | 1
}

/// The view inside a model, or nil if flowrt_model_open did not make it.
func openView(_ model: UnsafePointer<flowrt_model>?) -> UnsafePointer<flowrt_view>? {
  guard let model else { return nil }
  let view = UnsafeRawPointer(model).assumingMemoryBound(to: flowrt_view.self)
  return view.pointee.tag == tag(view) ? view : nil
}
