# swiftc to one relocatable object, FLOWRT_OBJECT, in which only the functions of the API are global.
#
#   Sources/FlowrtKernels -> kernels-level1.o, -level2.o, -level3.o   flowrt_evaluate, flowrt_step,
#                                                                     from level 2 on with _level<n> behind them
#   Sources/Flowrt        -> plan.o                                   flowrt_make_plan: Plan.swift and what it stands on
#                         -> api.o                                    the flowrt_* functions of include/flowrt.h
#   all of them           -> flowrt.o
#
# Every Embedded Swift object carries the same weak helpers and specialised generics, compiled for its own CPU level. A
# linker that merged them by name might keep the AVX-512 copy for every CPU. So each object is first reduced to what its
# entry points reach and has everything else made local; only then do they meet.

find_program(FLOWRT_SWIFTC swiftc DOC "Swift compiler, 6.3 or newer"
             HINTS /opt/swift/usr/bin /usr/share/swift/usr/bin "$ENV{HOME}/.local/share/swiftly/bin")
if(NOT FLOWRT_SWIFTC)
  message(FATAL_ERROR "swiftc was not found. Install Swift 6.3 or newer (swift.org/install), put its usr/bin on PATH, "
                      "or configure with -DFLOWRT_SWIFTC=/path/to/swiftc.")
endif()
execute_process(COMMAND "${FLOWRT_SWIFTC}" --version OUTPUT_VARIABLE flowrt_swift_banner
                ERROR_VARIABLE flowrt_swift_complaint)
if(NOT flowrt_swift_banner MATCHES "Swift version ([0-9]+\\.[0-9]+(\\.[0-9]+)?)")
  message(FATAL_ERROR "${FLOWRT_SWIFTC} does not run: '${FLOWRT_SWIFTC} --version' names no Swift version. It says:\n"
                      "${flowrt_swift_banner}${flowrt_swift_complaint}")
endif()
set(flowrt_swift_version "${CMAKE_MATCH_1}")
if(flowrt_swift_version VERSION_LESS 6.3)
  message(FATAL_ERROR "${FLOWRT_SWIFTC} is Swift ${flowrt_swift_version}; flowrt needs 6.3 or newer "
                      "(point -DFLOWRT_SWIFTC at a newer one).")
endif()

# swiftc gives no function an unwind table, so it only makes LLVM's intermediate code, in which every function is then marked
# `uwtable`; the clang of the same toolchain makes the object. Without tables a backtrace would end at the first frame of this
# library. The tables cost no time, and 5 kB for each kernel level.
get_filename_component(flowrt_swift_bin "${FLOWRT_SWIFTC}" REALPATH)
get_filename_component(flowrt_swift_bin "${flowrt_swift_bin}" DIRECTORY)
find_program(FLOWRT_CLANG clang DOC "The clang of the Swift toolchain" HINTS "${flowrt_swift_bin}" NO_DEFAULT_PATH)
if(NOT FLOWRT_CLANG)
  message(FATAL_ERROR "There is no clang beside ${FLOWRT_SWIFTC}. The Swift toolchain has one in the same folder; if yours is "
                      "elsewhere, configure with -DFLOWRT_CLANG=/path/to/it.")
endif()
# What both compilers must agree on: the flags that swiftc hands to clang (-Xcc) and to LLVM (-Xllvm), and the target.
function(flowrt_clang_flags result)
  set(flags "")
  set(before "")
  foreach(flag IN LISTS ARGN)
    if(before STREQUAL "-target")
      list(APPEND flags -target "${flag}")
    elseif(before STREQUAL "-Xcc")
      list(APPEND flags "${flag}")
    elseif(before STREQUAL "-Xllvm")
      list(APPEND flags -mllvm "${flag}")
    endif()
    set(before "${flag}")
  endforeach()
  set(${result} ${flags} PARENT_SCOPE)
endfunction()

# Debug: line tables, and every precondition of Swift checked, in the kernels too. Optimised all the same: unoptimised vectors are
# scalar code that allocates.
set(flowrt_debug_flags "")
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(flowrt_debug_flags -g -debug-info-format=dwarf)
endif()

# The stack protector is off because its guard lives in libc.
set(flowrt_swiftc "${FLOWRT_SWIFTC}" ${FLOWRT_SWIFT_FLAGS} ${flowrt_debug_flags}
    -enable-experimental-feature Embedded -wmo -parse-as-library
    -Xfrontend -function-sections -Xfrontend -disable-stack-protector -Xcc -fPIC
    -I "${PROJECT_SOURCE_DIR}/include" -I "${PROJECT_SOURCE_DIR}/Sources/FlowrtShim/include")

# The names of the allocator and of libc's random numbers, which discarded code leaves behind (an error if any code still refers to
# them).
set(flowrt_discard
    --remove-section=.swift_modhash --remove-section=.linker-options
    --strip-symbol=posix_memalign --strip-symbol=free --strip-symbol=arc4random_buf)
if(CMAKE_C_COMPILER_ID MATCHES "Clang") # some take gold by themselves, which lacks options that are used here
  set(FLOWRT_LINKER -fuse-ld=bfd)
endif()
set(flowrt_relocatable "${CMAKE_C_COMPILER}" ${FLOWRT_LINKER} -r -nostdlib -Wl,--force-group-allocation)
if(FLOWRT_CPU STREQUAL "armv7")
  # ARM's unwind tables name libgcc's routines that read them, only so that a linker brings these in. A program that unwinds has them.
  list(APPEND flowrt_relocatable -Wl,--defsym=__aeabi_unwind_cpp_pr0=0 -Wl,--defsym=__aeabi_unwind_cpp_pr1=0)
endif()

# What the commands below are made of: when it changes, they run again.
set(flowrt_recipe "${PROJECT_SOURCE_DIR}/cmake/FlowrtSwift.cmake" "${PROJECT_SOURCE_DIR}/cmake/FlowrtTarget.cmake"
    "${PROJECT_SOURCE_DIR}/cmake/api_symbols.txt" "${PROJECT_SOURCE_DIR}/cmake/cold.sed"
    "${PROJECT_SOURCE_DIR}/cmake/epilogues.awk")

# On riscv64 there are no tables: of those that `ld -r --gc-sections` leaves (binutils 2.40) the relocations point behind their end, and
# the next link breaks off or overwrites memory.
set(flowrt_unwind -e "/^attributes #[0-9]* = {.*target-features/s/{/{ uwtable/")
if(FLOWRT_CPU STREQUAL "riscv64")
  set(flowrt_unwind "")
endif()
# For the size of three levels. An awk and a sed are in POSIX.
set(flowrt_cold "")
if(FLOWRT_CPU STREQUAL "x86_64")
  set(flowrt_cold -f "${PROJECT_SOURCE_DIR}/cmake/cold.sed")
endif()

set(flowrt_object_dir "${PROJECT_BINARY_DIR}/swift")
file(MAKE_DIRECTORY "${flowrt_object_dir}")

# flowrt_swift_object(<name> MODULE <module> FLAGS <flag>... KEEP <symbol>... [SUFFIX <suffix>] [ONLY <file>... | EXCEPT <file>...])
# adds ${flowrt_object_dir}/<name>.o, made of all Swift files below Sources/<module>, or only of some, or of all except some, in
# which only the KEEP symbols are global, renamed to <symbol><suffix>.
function(flowrt_swift_object name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "MODULE;SUFFIX" "FLAGS;KEEP;ONLY;EXCEPT")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/Sources/${arg_MODULE}/*.swift")
  if(arg_ONLY)
    list(TRANSFORM arg_ONLY PREPEND "${PROJECT_SOURCE_DIR}/Sources/${arg_MODULE}/" OUTPUT_VARIABLE sources)
  elseif(arg_EXCEPT)
    list(TRANSFORM arg_EXCEPT PREPEND "${PROJECT_SOURCE_DIR}/Sources/${arg_MODULE}/")
    list(REMOVE_ITEM sources ${arg_EXCEPT})
  endif()
  file(GLOB headers CONFIGURE_DEPENDS
       "${PROJECT_SOURCE_DIR}/include/*" "${PROJECT_SOURCE_DIR}/Sources/FlowrtShim/include/*")
  list(TRANSFORM arg_KEEP PREPEND "-Wl,-u," OUTPUT_VARIABLE roots)
  list(TRANSFORM arg_KEEP REPLACE "(.+)" "--redefine-sym=\\1=\\1${arg_SUFFIX};--keep-global-symbol=\\1${arg_SUFFIX}"
       OUTPUT_VARIABLE globals)
  set(stem "${flowrt_object_dir}/${name}")
  flowrt_clang_flags(clang_flags ${FLOWRT_SWIFT_FLAGS} ${arg_FLAGS} -Xcc -fPIC)
  set(compile "${FLOWRT_CLANG}" ${clang_flags} -O2 -Xclang -disable-llvm-passes -ffunction-sections -Wno-override-module
      "${stem}.ll")
  set(assemble COMMAND ${compile} -c -o "${stem}.swift.o")
  if(FLOWRT_CPU STREQUAL "x86_64")
    set(assemble COMMAND ${compile} -S -o "${stem}.s"
                 COMMAND awk -f "${PROJECT_SOURCE_DIR}/cmake/epilogues.awk" "${stem}.s" > "${stem}.short.s"
                 COMMAND "${FLOWRT_CLANG}" ${clang_flags} -Wno-unused-command-line-argument -c "${stem}.short.s"
                         -o "${stem}.swift.o")
  endif()
  add_custom_command(
    OUTPUT "${stem}.o"
    # swiftc keeps a file whose contents would not change, even if flags have.
    COMMAND "${CMAKE_COMMAND}" -E rm -f "${stem}.ll"
    COMMAND ${flowrt_swiftc} -module-name ${arg_MODULE} ${arg_FLAGS} -emit-ir ${sources} -o "${stem}.ll"
    # @llvm.used keeps functions of the Swift runtime that nothing here calls.
    COMMAND sed -i ${flowrt_unwind} -e "/^@llvm.used = /d" ${flowrt_cold} "${stem}.ll"
    ${assemble}
    COMMAND ${flowrt_relocatable} -Wl,--gc-sections ${roots} "${stem}.swift.o" -o "${stem}.reached.o"
    COMMAND "${CMAKE_OBJCOPY}" ${flowrt_discard} ${globals} "${stem}.reached.o" "${stem}.o"
    DEPENDS ${sources} ${headers} "${FLOWRT_SWIFTC}" ${flowrt_recipe}
    COMMENT "Compiling Swift module ${arg_MODULE} (${name})"
    VERBATIM COMMAND_EXPAND_LISTS)
endfunction()

file(STRINGS "${PROJECT_SOURCE_DIR}/cmake/api_symbols.txt" FLOWRT_API_SYMBOLS)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/api_symbols.txt")

# The kernels are written in vectors, with their loops unrolled as far as it pays. What the optimizer would vectorize and
# unroll besides are the short loops around them: a fifth more code, and no speed. Nor do innermost loops at aligned
# addresses give any, for 2.4 kB of padding.
set(flowrt_kernel_optimization -Ounchecked)
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(flowrt_kernel_optimization -O)
endif()
set(flowrt_kernel_flags ${flowrt_kernel_optimization} -Xllvm -vectorize-loops=false -Xllvm -unroll-runtime=false -Xllvm -x86-experimental-pref-innermost-loop-alignment=0)

set(flowrt_objects "")
foreach(level IN LISTS FLOWRT_LEVELS)
  set(suffix "")
  if(level GREATER 1)
    set(suffix SUFFIX _level${level})
  endif()
  flowrt_swift_object(kernels-level${level} MODULE FlowrtKernels KEEP ${FLOWRT_LEVEL_${level}_ENTRIES} ${suffix}
                      FLAGS ${flowrt_kernel_flags} -D FLOWRT_LEVEL_${level} ${FLOWRT_LEVEL_${level}_FLAGS})
  list(APPEND flowrt_objects "${flowrt_object_dir}/kernels-level${level}.o")
endforeach()
list(LENGTH FLOWRT_LEVELS flowrt_level_count)
# The plan is made once for each call, and is an eighth of the time of a single row of a small flow: compiled like a kernel.
flowrt_swift_object(plan MODULE Flowrt ONLY Call/Plan.swift Call/PlanLayout.swift File/Layout.swift File/Codes.swift File/Sizes.swift
                    KEEP flowrt_make_plan FLAGS ${flowrt_kernel_flags} ${FLOWRT_LEVEL_1_FLAGS})
list(APPEND flowrt_objects "${flowrt_object_dir}/plan.o")
flowrt_swift_object(api MODULE Flowrt EXCEPT Call/Plan.swift KEEP ${FLOWRT_API_SYMBOLS}
                    FLAGS ${FLOWRT_API_OPTIMIZATION} -D FLOWRT_LEVELS_${flowrt_level_count} ${FLOWRT_LEVEL_1_FLAGS}
                          -Xcc -DFLOWRT_SWIFT_VERSION=${flowrt_swift_version})
list(APPEND flowrt_objects "${flowrt_object_dir}/api.o")

set(FLOWRT_OBJECT "${flowrt_object_dir}/flowrt.o")
list(TRANSFORM FLOWRT_API_SYMBOLS PREPEND "--keep-global-symbol=" OUTPUT_VARIABLE flowrt_globals)
add_custom_command(
  OUTPUT "${FLOWRT_OBJECT}"
  COMMAND ${flowrt_relocatable} ${flowrt_objects} -o "${FLOWRT_OBJECT}"
  COMMAND "${CMAKE_OBJCOPY}" ${flowrt_globals} "${FLOWRT_OBJECT}"
  DEPENDS ${flowrt_objects} ${flowrt_recipe}
  COMMENT "Joining the Swift objects"
  VERBATIM COMMAND_EXPAND_LISTS)
add_custom_target(flowrt_object DEPENDS "${FLOWRT_OBJECT}")
