// Version and build of the library.

import CFlowrt
import FlowrtShim

@c(flowrt_version_number) @implementation
public func flowrt_version_number() -> UInt32 {
  UInt32(FLOWRT_VERSION_MAJOR * 10_000 + FLOWRT_VERSION_MINOR * 100 + FLOWRT_VERSION_PATCH)
}

@c(flowrt_version_string) @implementation
public func flowrt_version_string() -> UnsafePointer<CChar>! { flowrt_version_text() }

@c(flowrt_build_info) @implementation
public func flowrt_build_info() -> UnsafePointer<CChar>! { flowrt_build_text(bestLevel()) }

/// The best kernel level that this machine can run and this library holds.
func bestLevel() -> UInt32 {
  #if FLOWRT_LEVELS_3
    return flowrt_cpu_level()
  #else
    return 1
  #endif
}
