// swift-tools-version: 6.0
//
// SwiftPM builds the runtime as ordinary Swift, for its unit tests. The library for C programs, without the Swift runtime, is built by
// CMake (CMakeLists.txt) from the same sources.

import PackageDescription

/// One kernel level, with fused multiply-add where the architecture has it. FLOWRT_MARCH chooses another one.
#if arch(x86_64)
  let march = Context.environment["FLOWRT_MARCH"] ?? "x86-64-v3"
  let level: [SwiftSetting] =
    march == "x86-64-v4" ? [.define("FLOWRT_LEVEL_3")] : march == "x86-64-v3" ? [.define("FLOWRT_LEVEL_2")] : []
  let target: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=\(march)"])]
#else
  let level: [SwiftSetting] = []
  let target: [SwiftSetting] = []
#endif

let package = Package(
  name: "flowrt",
  products: [.library(name: "Flowrt", targets: ["Flowrt"])],
  targets: [
    .systemLibrary(name: "CFlowrt", path: "include"),
    .systemLibrary(name: "FlowrtShim", path: "Sources/FlowrtShim/include"),
    .target(name: "FlowrtKernels", dependencies: ["FlowrtShim"], swiftSettings: target + level),
    .target(name: "Flowrt", dependencies: ["CFlowrt", "FlowrtShim", "FlowrtKernels"]),
    .testTarget(
      name: "FlowrtTests", dependencies: ["CFlowrt", "FlowrtShim", "FlowrtKernels", "Flowrt"], swiftSettings: target),
  ])
