// The codes of a file: the enums of Codes.swift are the lists of flowrt_format.h, none missing and none too many.

import FlowrtShim
import Testing

@testable import FlowrtKernels

/// The numbers from `first` up to `end` are codes, and those beside them are none.
private func isComplete<Code: RawRepresentable>(_: Code.Type, from first: Int = 0, _ end: Int) -> Bool
where Code.RawValue: FixedWidthInteger {
  (first..<end).allSatisfy { Code(rawValue: Code.RawValue($0)) != nil } && Code(rawValue: Code.RawValue(end)) == nil
    && (first == 0 || Code(rawValue: Code.RawValue(first - 1)) == nil)
}

@Test func kernelsKnowAllCodesAndNoOthers() {
  #expect(isComplete(RecordKind.self, from: FLOWRT_RECORD_AUTOREGRESSIVE, FLOWRT_RECORDS_END))
  #expect(isComplete(ReadSide.self, FLOWRT_SIDES))
  #expect(isComplete(ElementwiseFunction.self, FLOWRT_FUNCTIONS))
  #expect(isComplete(BaseDensity.self, FLOWRT_BASES))
  #expect(isComplete(Activation.self, FLOWRT_ACTIVATIONS))
  #expect(isComplete(TransformerKind.self, from: FLOWRT_TRANSFORMER_AFFINE, FLOWRT_TRANSFORMERS_END))
  #expect(isComplete(AffineForm.self, FLOWRT_FORMS))
  #expect(isComplete(ScaleFunction.self, FLOWRT_SCALES))
  #expect(isComplete(SplineWidths.self, FLOWRT_SPLINE_WIDTHS))
  #expect(isComplete(SplineDerivatives.self, FLOWRT_SPLINE_DERIVATIVES))
  #expect(isComplete(SplineEnds.self, FLOWRT_SPLINE_ENDS))
  #expect(isComplete(SplinePieces.self, FLOWRT_SPLINE_PIECES))
}
