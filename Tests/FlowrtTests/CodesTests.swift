// The codes of a file: what the reader lets pass is what the kernels know.

import FlowrtShim
import Testing

@testable import FlowrtKernels

private func isComplete<Code: RawRepresentable>(_: Code.Type, _ count: Int) -> Bool
where Code.RawValue: FixedWidthInteger {
  (0..<count).allSatisfy { Code(rawValue: Code.RawValue($0)) != nil } && Code(rawValue: Code.RawValue(count)) == nil
}

@Test func kernelsKnowAllCodesAndNoOthers() {
  #expect(isComplete(Activation.self, FLOWRT_ACTIVATIONS))
  #expect(isComplete(AffineForm.self, FLOWRT_FORMS))
  #expect(isComplete(ScaleFunction.self, FLOWRT_SCALES))
  #expect(isComplete(ElementwiseFunction.self, FLOWRT_FUNCTIONS))
  #expect(isComplete(BaseDensity.self, FLOWRT_BASES))
}
