/* flowrt_check.h: can this CPU run the library, and which row has no finite answer?
 *
 * Optional, for programs that want to say more than a status says. Two questions that the library itself cannot answer:
 * it makes no system calls, so on some CPUs it does not know what they have; and it writes all rows and then names none.
 * All functions are static inline, allocate nothing, and may be called by any thread. */
#ifndef FLOWRT_CHECK_H
#define FLOWRT_CHECK_H

#include "flowrt.h"

#include <string.h>

#if defined(__linux__) && (defined(__arm__) || defined(__riscv))
#include <sys/auxv.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What the library needs and this CPU lacks, in words; NULL if it lacks nothing, or if that cannot be known.
 *
 * On such a CPU every call that evaluates ends the process with SIGILL. x86-64 and AArch64 always have what the lowest
 * kernel level needs. 32-bit ARM needs NEON with VFPv4 (fused multiply-add) and integer division: Cortex-A7, A15, A17
 * and all of ARMv8 have them, A5, A8 and A9 do not. Known on Linux and Android alone. Without an operating system, look at the
 * manual of the core, or at MVFR1. */
static inline const char *flowrt_cpu_lacks(void)
{
#if defined(__linux__) && defined(__arm__)
    const unsigned long has = getauxval(16 /* AT_HWCAP */);
    if (!(has & 1ul << 12))
        return "NEON";
    if (!(has & 1ul << 16))
        return "VFPv4 (fused multiply-add)";
    if (!(has & 1ul << 17))
        return "integer division";
#elif defined(__linux__) && defined(__riscv)
    const unsigned long has = getauxval(16 /* AT_HWCAP: bit 0 is A */);
    if (!(has & 1ul << ('f' - 'a')) || !(has & 1ul << ('d' - 'a')))
        return "the extensions F and D";
    if (!(has & 1ul << ('c' - 'a')))
        return "the extension C";
#endif
    return NULL;
}

/* Why a row has an output that is NaN or infinite. */
typedef enum flowrt_cause {
    FLOWRT_CAUSE_NONE = 0,
    FLOWRT_CAUSE_INPUT = 1,   /* its x or z has a NaN or an infinity: a sensor or a reader is broken */
    FLOWRT_CAUSE_CONTEXT = 2, /* its context has */
    /* Neither has. The row is so far from the data that a number on the way, or the answer, leaves the range of float32;
     * or log p = -infinity says that it lies outside of a bounded support. (Or a parameter of the model is not finite:
     * flowrt_model_open with FLOWRT_OPEN_VERIFY refuses such a model with FLOWRT_ERR_VALUE.) */
    FLOWRT_CAUSE_RANGE = 3
} flowrt_cause;

/* Index of the first value that is NaN or infinite, or count. Right with -ffast-math, too. */
static inline size_t flowrt_first_nonfinite(const float *values, size_t count)
{
    size_t i = 0;
    for (uint32_t bits = 0; i < count; i++) {
        memcpy(&bits, values + i, sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u)
            break;
    }
    return i;
}

/* The first of the rows `first` .. count - 1 that has an output that is NaN or infinite, and *cause why (unless NULL).
 * count and FLOWRT_CAUSE_NONE if there is none. To see all of them, go on from the row behind.
 *
 * The arguments are those of the call that returned FLOWRT_ERR_NONFINITE; input is x or z, output z or x, log_output
 * log_det or log_prob. Whatever the verb does not have is NULL; so is an input that the output has replaced, which then
 * cannot be a cause. */
static inline size_t flowrt_nonfinite_row(const flowrt_model *model, size_t count, size_t first, const float *input,
                                          const float *context, size_t context_rows, const float *output,
                                          const float *log_output, flowrt_cause *cause)
{
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    flowrt_cause found = FLOWRT_CAUSE_NONE;
    size_t row = flowrt_model_get_info(model, &info) == FLOWRT_OK ? first : count;
    const size_t dim = info.dim, context_dim = info.context_dim;
    for (; row < count; row++)
        if ((output != NULL && flowrt_first_nonfinite(output + row * dim, dim) < dim) ||
            (log_output != NULL && flowrt_first_nonfinite(log_output + row, 1) == 0))
            break;
    if (row >= count) {
        row = count;
    } else {
        found = FLOWRT_CAUSE_RANGE;
        if (context != NULL && context_rows > 0) {
            const size_t own = row / (count / context_rows);
            if (flowrt_first_nonfinite(context + own * context_dim, context_dim) < context_dim)
                found = FLOWRT_CAUSE_CONTEXT;
        }
        if (input != NULL && flowrt_first_nonfinite(input + row * dim, dim) < dim)
            found = FLOWRT_CAUSE_INPUT;
    }
    if (cause != NULL)
        *cause = found;
    return row;
}

/* A cause as words that follow "row 3: ". Static storage, never NULL. */
static inline const char *flowrt_cause_text(flowrt_cause cause)
{
    switch (cause) {
    case FLOWRT_CAUSE_INPUT: return "the input is NaN or infinite";
    case FLOWRT_CAUSE_CONTEXT: return "the context is NaN or infinite";
    case FLOWRT_CAUSE_RANGE: return "input and context are finite, but too far from the data for float32";
    default: return "all outputs are finite";
    }
}

#ifdef __cplusplus
}
#endif

#endif /* FLOWRT_CHECK_H */
