// The sizes that a file is laid out in (docs/FORMAT.md sections 1 and 3). This file is compiled into both modules
// (Sources/FlowrtKernels/Sizes.swift is a link to it).

/// Units of a layer whose weights stand side by side in a panel.
let panelUnits = 16
/// Floats of a line: the weights of a panel's units for one input.
let lineFloats = 16
/// Floats behind a plane that a vector may reach into.
let laneSlack = 16
/// Bytes of the header, and of each record behind it.
let recordBytes = 64
/// Blocks begin at multiples of so many bytes, and so does the workspace with its parts.
let alignment: UInt64 = 64

/// Panels that hold so many units.
@inline(__always) func panels<Count: FixedWidthInteger>(of units: Count) -> Count { (units &+ 15) / 16 }

/// The next multiple of 16: the units of whole panels, the floats of whole lines.
@inline(__always) func paddedTo16<Count: FixedWidthInteger>(_ count: Count) -> Count { (count &+ 15) & ~15 }

/// The next multiple of `alignment`.
@inline(__always) func aligned<Count: FixedWidthInteger>(_ bytes: Count) -> Count { (bytes &+ 63) & ~63 }
