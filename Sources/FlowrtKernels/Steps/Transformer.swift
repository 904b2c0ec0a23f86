// The elementwise maps between the read side r and the other side q (docs/FORMAT.md section 5): affine (Affine.swift),
// additive, spline (Spline.swift), and the density that a base has for each coordinate (Mixture.swift).

import FlowrtShim

/// What the parameters of a rank are for.
enum Transformer {
  case affine(Affine)
  /// q = r + t
  case additive
  case spline(Spline)
  /// The density of r, or a draw of it from the noise q: the base density that has a conditioner of its own.
  case mixture(Mixture)

  init(_ record: flowrt_step_record) {
    switch TransformerKind(rawValue: record.transformer).unsafelyUnwrapped {
    case .affine: self = .affine(Affine(record))
    case .additive: self = .additive
    case .spline: self = .spline(Spline(record))
    }
  }
}
