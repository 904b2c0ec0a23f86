# flowrt_add_model(<target> <model.flw> [NAME <name>])
#
# Puts a model into a program or library, as constant data: no file at run time, no heap, nothing to install. The target's C or
# C++ sources then
#
#   #include "<name>.h"     const unsigned char <name>[<NAME>_SIZE], on 64 bytes; <NAME>_DIM, <NAME>_CONTEXT_DIM;
#                           <NAME>_WORKSPACE_BYTES, enough for calls with any number of rows;
#                           <NAME>_FULL_WORKSPACE_BYTES, with which they run at full speed; the same for gradients,
#                           <NAME>_GRADIENT_WORKSPACE_BYTES and <NAME>_FULL_GRADIENT_WORKSPACE_BYTES; <NAME>_PLAN_BYTES, for
#                           flowrt_model_prepare; <NAME>_ALIGNED, for workspaces and plan
#
# <name> is the file's name without its ending, or NAME, a C identifier. The file may be the output of a custom command. It works
# when cross compiling too: CMake itself reads the file (FlowrtModelSource.cmake), and the assembler of the target includes it. Call
# it in the directory of the target, which links flowrt::flowrt or flowrt::flowrt_static.
#
# The sizes of workspace and plan are those of the flowrt version that this file came with. A program that may meet a newer libflowrt.so
# asks flowrt_workspace_size, flowrt_gradient_workspace_size and flowrt_plan_size.

set(FLOWRT_MODEL_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/FlowrtModelSource.cmake")
set_property(GLOBAL PROPERTY flowrt_model_script "${FLOWRT_MODEL_SCRIPT}")

function(flowrt_add_model target file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME" "")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "flowrt_add_model(<target> <model.flw> [NAME <name>]) does not take '${arg_UNPARSED_ARGUMENTS}'.")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "flowrt_add_model: there is no target '${target}'. Call it behind add_executable or add_library.")
  endif()
  get_filename_component(file "${file}" ABSOLUTE)
  get_source_file_property(is_generated "${file}" GENERATED)
  if(NOT is_generated AND NOT EXISTS "${file}")
    message(FATAL_ERROR "flowrt_add_model: there is no file '${file}', and no custom command of this directory makes it.")
  endif()
  set(name "${arg_NAME}")
  if(NOT name)
    get_filename_component(name "${file}" NAME_WE)
  endif()
  if(NOT name MATCHES "^[A-Za-z][A-Za-z0-9_]*$" OR name MATCHES "^flowrt_")
    message(FATAL_ERROR "flowrt_add_model: '${name}' cannot be the name of a C array (a letter, then letters, digits and "
                        "underscores, not flowrt_...). Give another: flowrt_add_model(${target} ${file} NAME my_model).")
  endif()
  if(CMAKE_C_COMPILER_LOADED)
    set(language c)
  elseif(CMAKE_CXX_COMPILER_LOADED)
    set(language cpp)
  else()
    message(FATAL_ERROR "flowrt_add_model: the project has neither C nor C++ among its LANGUAGES.")
  endif()

  get_property(script GLOBAL PROPERTY flowrt_model_script)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/flowrt_models/${target}")
  set(source "${folder}/${name}.${language}")
  add_custom_command(
    OUTPUT "${folder}/${name}.h" "${source}"
    COMMAND "${CMAKE_COMMAND}" "-DMODEL=${file}" "-DNAME=${name}" "-DHEADER=${folder}/${name}.h" "-DSOURCE=${source}" -P "${script}"
    DEPENDS "${file}" "${script}"
    COMMENT "Reading ${name} from ${file}"
    VERBATIM)
  # A linker plugin would not see the symbol, which assembler defines.
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${file}" COMPILE_OPTIONS "-fno-lto" SKIP_UNITY_BUILD_INCLUSION ON)
  target_sources(${target} PRIVATE "${source}" "${folder}/${name}.h")
  target_include_directories(${target} PRIVATE "${folder}")
endfunction()
