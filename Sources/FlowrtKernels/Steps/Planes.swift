// Plane layers: convolutions, poolings and gathers (docs/FORMAT.md section 4.3), of one row.
//
// A plane is kept pixel by pixel, the channels of a pixel side by side. A layer takes three passes:
//
//     1. the input plane with its border, into the scratch     0 0 0 0 0 0      (skipped where there is no border)
//                                                              0 a b c d 0
//                                                              0 e f g h 0
//                                                              0 0 0 0 0 0
//     2. the sums of each output pixel, channels in whole panels of 16        | o o o o o . . . | o o o o o . . . |
//     3. the channels that are none are squeezed out                          | o o o o o | o o o o o |
//
// Then the units lie as those of any other layer, and added layers, activation and gate are the same
// (Conditioner.finish). The border's zeros are multiplied and added like all other terms, so that every pixel has the same chain of them.

import FlowrtShim

/// A plane layer of one row, ready to run.
struct PlaneLayer {
  private let record: flowrt_layer_record
  private let operation: LayerOperation
  /// Pixels of the output, and its channels in whole panels.
  private let outHeight, outWidth, channels, paddedChannels: Int
  /// Floats from a row of pixels of the input, with its border, to the next.
  private let pitch: Int
  /// The first output unit; the sums of a pixel are `paddedChannels` floats.
  private let target: UnsafeMutablePointer<Float>
  private let weights: UnsafePointer<Float>?
  /// Of a gather.
  private let index: UnsafePointer<UInt32>?

  init(_ layer: Layer, _ target: UnsafeMutablePointer<Float>) {
    let record = layer.pointee.record.pointee
    self.record = record
    operation = LayerOperation(rawValue: record.operation).unsafelyUnwrapped
    func places(_ length: Int, _ kernel: UInt16, _ stride: UInt16, _ dilation: UInt16) -> Int {
      // A gather has no strides.
      (length &- Int(dilation) &* (Int(kernel) &- 1) &- 1) / max(Int(stride), 1) &+ 1
    }
    let height = Int(record.plane.0) &+ Int(record.pad.0) &+ Int(record.pad.1)
    let width = Int(record.plane.1) &+ Int(record.pad.2) &+ Int(record.pad.3)
    outHeight = places(height, record.kernel.0, record.stride.0, record.dilation.0)
    outWidth = places(width, record.kernel.1, record.stride.1, record.dilation.1)
    channels = Int(record.channels)
    paddedChannels = paddedTo16(channels)
    pitch = width &* Int(record.in_channels)
    self.target = target
    weights = layer.pointee.weights
    index = layer.pointee.index
  }

  /// Sums, largest values or gathered ones, of all output units. On entry the first pixel has what a convolution's sums
  /// start from.
  func run(_ input: UnsafePointer<Float>, scratch: UnsafeMutablePointer<Float>) {
    switch operation {
    case .convolution:
      repeatFirstPixel()
      let hasBorder = record.pad.0 | record.pad.1 | record.pad.2 | record.pad.3 != 0
      convolve(hasBorder ? bordered(input, scratch, border: 0) : input)
    case .depthwiseConvolution:
      repeatFirstPixel()
      // Vectors of channels reach past the last one: only the scratch has room for that.
      combine(bordered(input, scratch, border: 0))
    case .maxPooling:
      target.store(Lanes(repeating: -.infinity), 0)
      for i in Swift.stride(from: 0, to: pixels &* paddedChannels, by: laneCount) {
        target.store(target.lanes(0), i)
      }
      combine(bordered(input, scratch, border: -.infinity))
    case .gather:
      for u in 0..<Int(record.width) { target[u] = index![u] == .max ? 0 : input[Int(index![u])] }
      return
    case .dense: break  // no plane
    }
    squeeze()
  }

  private var pixels: Int { outHeight &* outWidth }

  private func repeatFirstPixel() {
    for pixel in 1..<max(pixels, 1) {
      for i in Swift.stride(from: 0, to: paddedChannels, by: laneCount) {
        target.store(target.lanes(i), pixel &* paddedChannels &+ i)
      }
    }
  }

  /// Copies the input into the middle of the scratch, and the border around it.
  private func bordered(
    _ input: UnsafePointer<Float>, _ scratch: UnsafeMutablePointer<Float>, border: Float
  ) -> UnsafePointer<Float> {
    let (height, width) = (Int(record.plane.0), Int(record.plane.1) &* Int(record.in_channels))
    let (above, left) = (Int(record.pad.0), Int(record.pad.2) &* Int(record.in_channels))
    func fill(_ first: Int, _ end: Int) { for i in first..<end { scratch[i] = border } }
    fill(0, above &* pitch)
    for y in 0..<height {
      let row = (above &+ y) &* pitch
      fill(row, row &+ left)
      copy(input + y &* width, scratch + (row &+ left), width)
      fill(row &+ left &+ width, row &+ pitch)
    }
    let below = (above &+ height) &* pitch
    // The last vector of channels may reach past the plane: zeros, which are multiplied by zero or not used.
    fill(below, below &+ Int(record.pad.1) &* pitch)
    for i in 0..<laneSlack { scratch[below &+ Int(record.pad.1) &* pitch &+ i] = 0 }
    return UnsafePointer(scratch)
  }

  /// Whole vectors, and what is left number by number: the input may be the caller's, with nothing behind it.
  private func copy(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i &+ laneCount <= count {
      target.store(source.lanes(i), i)
      i &+= laneCount
    }
    while i < count {
      target[i] = source[i]
      i &+= 1
    }
  }

  /// One row of the kernel at a time, or one tap of it where the taps are apart.
  private func convolve(_ source: UnsafePointer<Float>) {
    let inputs = Int(record.in_channels)
    let (rows, columns) = (Int(record.kernel.0), Int(record.kernel.1))
    let isOneRun = record.dilation.1 == 1
    let (runs, terms) = isOneRun ? (1, columns &* inputs) : (columns, inputs)
    let (strideDown, strideRight) = (Int(record.stride.0), Int(record.stride.1))
    // Without a border a kernel of one pixel goes over all pixels as over one row.
    let isFlat = rows &* columns == 1 && strideDown &* strideRight == 1 && pitch == outWidth &* inputs
    for row in 0..<rows {
      for run in 0..<runs {
        let first = source + (row &* Int(record.dilation.0) &* pitch &+ run &* Int(record.dilation.1) &* inputs)
        Pixels(
          height: isFlat ? 1 : outHeight, width: isFlat ? pixels : outWidth, sums: target, stride: paddedChannels,
          sources: first, sourceStride: strideRight &* inputs, sourcePitch: strideDown &* pitch,
          weights: weights.unsafelyUnwrapped, panels: paddedChannels / panelUnits, lines: rows &* columns &* inputs
        ).accumulate(line: (row &* columns &+ run) &* inputs, count: terms)
      }
    }
  }

  /// Every tap of every output pixel, 16 channels at a time: adds its value times its weight, or takes it if it is
  /// larger.
  private func combine(_ source: UnsafePointer<Float>) {
    let (rows, columns) = (Int(record.kernel.0), Int(record.kernel.1))
    let (down, right) = (Int(record.dilation.0) &* pitch, Int(record.dilation.1) &* channels)
    for pixel in 0..<pixels {
      let (y, x) = (pixel / outWidth, pixel % outWidth)
      let corner = source + (y &* Int(record.stride.0) &* pitch &+ x &* Int(record.stride.1) &* channels)
      for first in Swift.stride(from: 0, to: paddedChannels, by: laneCount) {
        var result = target.lanes(pixel &* paddedChannels &+ first)
        var line = first &* rows &* columns  // of the panel's weights, in floats
        for i in 0..<rows {
          for j in 0..<columns {
            let value = corner.lanes(i &* down &+ j &* right &+ first)
            if let weights {
              result = fma(weights.lanes(line), value, result)
            } else {
              // A NaN is larger than all others.
              result.replace(with: value, where: (value .> result) .| (value .!= value))
            }
            line &+= lineFloats
          }
        }
        target.store(result, pixel &* paddedChannels &+ first)
      }
    }
  }

  /// Moves the channels of each pixel to where those of the one before it end. What is written lies in front of what is
  /// still to be read.
  private func squeeze() {
    if channels == paddedChannels { return }
    for pixel in 1..<max(pixels, 1) {
      for i in Swift.stride(from: 0, to: channels, by: laneCount) {
        target.store(target.lanes(pixel &* paddedChannels &+ i), pixel &* channels &+ i)
      }
    }
  }
}
