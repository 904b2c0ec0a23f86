/* The library's texts. C, because string literals with static storage are C's. */
#ifndef FLOWRT_TEXT_H
#define FLOWRT_TEXT_H

#include <stdint.h>
#include "flowrt_cpu.h"

#define FLOWRT_VERSION_TEXT "0.1.0"

/* The build names the compiler's version. */
#define FLOWRT_TEXT_(x) #x
#define FLOWRT_TEXT(x) FLOWRT_TEXT_(x)
#ifdef FLOWRT_SWIFT_VERSION
#define FLOWRT_COMPILER "Swift " FLOWRT_TEXT(FLOWRT_SWIFT_VERSION)
#else
#define FLOWRT_COMPILER "Swift"
#endif

static inline const char *flowrt_version_text(void) { return FLOWRT_VERSION_TEXT; }

#define FLOWRT_BUILD "flowrt " FLOWRT_VERSION_TEXT ", " FLOWRT_COMPILER ", " FLOWRT_TARGET ", kernels: "

static inline const char *flowrt_build_text(uint32_t level) {
#if defined(__x86_64__)
    if (level == 3) return FLOWRT_BUILD "x86-64-v4";
    if (level == 2) return FLOWRT_BUILD "x86-64-v3";
#endif
    (void)level;
    return FLOWRT_BUILD "baseline";
}

static inline const char *flowrt_status_text(int32_t status) {
    switch (status) {
    case 0: return "success";
    case -1: return "a size that cannot be: struct_size below 8, or workspace_size or plan_size beyond the address space";
    case -2: return "the model is not open, or its flowrt_model or its plan was overwritten";
    case -3: return "the workspace is smaller than flowrt_workspace_size(model, 1), for a gradient than flowrt_gradient_workspace_size(model, 1), or the plan than flowrt_plan_size(model)";
    case -4: return "misaligned pointer: model data, workspace and plan need 64 bytes, floats 4";
    case -5: return "a pointer that the call needs is NULL: model, data, info, rows, output, generator, workspace or plan";
    case -6:
        return "arrays overlap: keep outputs, generator and workspace apart from the others and from the model; only "
               "z may be the array x, or x the array z";
    case -7: return "the model needs a context: pass context_rows x context_dim floats (flowrt_model_get_info)";
    case -8: return "the model takes no context: pass NULL with context_rows 0";
    case -9:
        return "context_rows does not divide count: pass 1 for all rows, count for one each, or m for count / m rows "
               "each";
    case -40: return "count is too large: so many rows fit no memory (was it a negative number?)";
    case -41: return "unknown flag: flowrt_model_open takes FLOWRT_OPEN_VERIFY and FLOWRT_OPEN_LEVEL(n)";
    case -10: return "the model has fewer or more bytes than its header says or its layers need";
    case -11: return "not a .flw model file";
    case -12: return "the model was written for another major version of the format";
    case -13: return "the model needs a feature that this version of the library does not have";
    case -14: return "the model file is malformed";
    case -15: return "a size in the model is beyond the limits of the library or of this machine";
    case -16: return "checksum mismatch: the model file was damaged";
    case -17: return "the model has a parameter that is not finite or out of range, or padding that is not zero";
    case -20: return "at least one output is NaN or infinite";
    case -30:
        return "no gradient: the model has a part that this library does not differentiate, or the CPU or the level asked "
               "for has no fused multiply-add";
    default: return "unknown status";
    }
}

#endif
