// The most of each thing that a file may hold, in the order of docs/FORMAT.md section 6.

let maximumDim: UInt64 = 16_777_216
let maximumContextDim: UInt64 = 16_777_216
let maximumRecords: UInt64 = 65_536
/// Layers of one conditioner, encoder or base.
let maximumLayers: UInt32 = 128
let maximumWidth: UInt64 = 16_777_216
/// Units of a plane, with its border or with channels in whole panels.
let maximumPlane: UInt64 = 16_777_216
/// Units of all windows of a pooling.
let maximumPooled: UInt64 = 268_435_456
let maximumPixelwiseChannels: UInt64 = 65_536
/// Bins of a spline, components of a mixture.
let maximumBins: UInt32 = 1024
/// Lines of all weight panels of a block: what is counted in 32 bits. A literal: 32-bit CPUs would do a conversion at run
/// time, into writable data.
let maximumPanelLines: UInt64 = 0xFFFF_FFFF
