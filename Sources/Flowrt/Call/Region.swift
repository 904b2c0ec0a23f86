// A piece of memory, and whether it meets another one.

/// Bytes first ..< end of the address space.
struct Region {
  let first, end: UInt64

  init(_ pointer: UnsafeRawPointer?, _ bytes: UInt64) {
    first = UInt64(UInt(bitPattern: pointer))
    end = first &+ (pointer == nil ? 0 : bytes)
  }
  func overlaps(_ other: Region) -> Bool { first < other.end && other.first < end }
  func equals(_ other: Region) -> Bool { first == other.first && end == other.end }
}
