# flowrt_test_tool(<variable> <name> <purpose>): <variable>, of find_program or find_path, holds what some tests need and a machine
# may lack. Without it those tests are left out, and the build says so; with FLOWRT_REQUIRE_TEST_TOOLS, as in continuous
# integration, that is an error.
option(FLOWRT_REQUIRE_TEST_TOOLS "Stop where a tool that tests need is missing, instead of leaving the tests out" OFF)

function(flowrt_test_tool variable name purpose)
  if(NOT ${variable} AND FLOWRT_REQUIRE_TEST_TOOLS)
    message(FATAL_ERROR "${name} was not found, which the tests need: ${purpose}")
  elseif(NOT ${variable})
    message(STATUS "${name} was not found; tests left out: ${purpose}")
  endif()
endfunction()
