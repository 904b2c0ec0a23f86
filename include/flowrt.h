/* flowrt: density and sampling of trained masked and inverse autoregressive flows (MAF, IAF).
 *
 * A flow is a bijection between data x and noise z, both `dim` floats, followed by a base density on z.
 *   forward   x -> z   (normalising)      log_det = log|det dz/dx|
 *   inverse   z -> x   (generative)       log_det = log|det dx/dz|
 *   log_prob  log p(x | context) = log p_base(z) + log|det dz/dx|, natural logarithm
 *   sample    z ~ base, x = inverse(z)
 * Frameworks disagree on which of these is "forward". This header never does.
 *
 * A batch is `count` rows, row-major and contiguous: row i of x is x[i * dim] .. x[i * dim + dim - 1].
 *
 * The caller owns all memory. Nothing here allocates, locks, makes a system call or keeps a global. Every function may
 * be called from any number of threads at once, on one model too, as long as each call has its own outputs, its own
 * generator and its own workspace. Results do not depend on the batch around a row, on the workspace size or on the
 * thread; they are equal to the bit on every CPU that has fused multiply-add, but for the bits of a NaN, and for
 * subnormal numbers (below 1.2e-38) on 32-bit ARM, whose vectors take them for zero. Floating-point is expected as a C
 * program starts with it: rounding to nearest, exceptions not trapped (feenableexcept); their flags may be raised by
 * any call, also for the values of idle vector lanes.
 *
 * The life of a program, in the order of this file:
 *   1. version    which library is this?
 *   2. status     what went wrong?
 *   3. model      view a .flw file that is in memory, flash or mmap
 *   4. workspace  how many bytes of scratch does a call need?
 *   5. evaluate   forward, inverse, log_prob
 *   6. sample     draws that are a pure function of (seed, stream, index)
 */
#ifndef FLOWRT_H
#define FLOWRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Version --------------------------------------------------------------------------------------------------- */

#define FLOWRT_VERSION_MAJOR 0
#define FLOWRT_VERSION_MINOR 1
#define FLOWRT_VERSION_PATCH 0

/* major * 10000 + minor * 100 + patch of the library that is linked, which may differ from the header's. */
uint32_t flowrt_version_number(void);

/* The same as text, "0.1.0". Static storage. */
const char *flowrt_version_string(void);

/* One line: compiler, target and the kernel level that flowrt_model_open would choose on this machine. Static storage. */
const char *flowrt_build_info(void);

/* ---- 2. Status ---------------------------------------------------------------------------------------------------- */

/* Every call that can fail returns one of these. The values are permanent. */
typedef enum flowrt_status {
    FLOWRT_OK = 0,
    /* the call */
    FLOWRT_ERR_ARGUMENT = -1,   /* a NULL, an impossible count, context_rows or size, an unknown flag, or overlap */
    FLOWRT_ERR_MODEL = -2,      /* the flowrt_model was never opened, or was overwritten */
    FLOWRT_ERR_WORKSPACE = -3,  /* workspace_size is below flowrt_workspace_size(model, 1) */
    FLOWRT_ERR_ALIGNMENT = -4,  /* model data or workspace not on FLOWRT_ALIGNMENT bytes, or floats not on 4 */
    /* the file */
    FLOWRT_ERR_TRUNCATED = -10, /* fewer or more bytes than the file says it has, or than its layers need */
    FLOWRT_ERR_MAGIC = -11,     /* not a .flw file (or a text-mode transfer damaged it) */
    FLOWRT_ERR_VERSION = -12,   /* written for another major version of the format */
    FLOWRT_ERR_FEATURE = -13,   /* well-formed, but needs something that this library does not execute */
    FLOWRT_ERR_MALFORMED = -14, /* contradicts docs/FORMAT.md */
    FLOWRT_ERR_LIMIT = -15,     /* a size beyond what this library or this machine's size_t can hold */
    FLOWRT_ERR_CHECKSUM = -16,  /* FLOWRT_OPEN_VERIFY: the bytes changed since they were written */
    FLOWRT_ERR_VALUE = -17,     /* FLOWRT_OPEN_VERIFY: a parameter is NaN, infinite or out of range, or padding is not zero */
    /* the numbers */
    FLOWRT_ERR_NONFINITE = -20  /* all outputs were written; at least one of them is NaN or infinite */
} flowrt_status;

/* One English sentence for a status, without a newline. Static storage, never NULL, also for unknown values. */
const char *flowrt_status_message(flowrt_status status);

/* Where and why a file was refused, in plain numbers. */
typedef struct flowrt_error_detail {
    int32_t status;    /* the flowrt_status that was returned */
    int32_t record;    /* index of the record in the file (docs/FORMAT.md), or -1 for the file header */
    uint64_t offset;   /* byte offset of the offending field or byte */
    uint64_t expected; /* what the reader wanted there; 0 where no single number says it */
    uint64_t found;    /* what stands there, or the number that follows from it */
} flowrt_error_detail;

/* ---- 3. Model ----------------------------------------------------------------------------------------------------- */

/* Required alignment, in bytes, of model data and workspaces. Rows of floats need no more than a float does. */
#define FLOWRT_ALIGNMENT 64

/* A view of a model's bytes. It may live anywhere, may be copied with memcpy, and has nothing to free. The bytes it
 * views must stay in place, unchanged, as long as it is used. */
typedef struct flowrt_model {
    uint64_t private_[32];
} flowrt_model;

/* Flags of flowrt_model_open, or-ed together. */
#define FLOWRT_OPEN_DEFAULT 0u
/* Also read every byte: checksum, finite parameters, zero padding. Without it only the structure is read. */
#define FLOWRT_OPEN_VERIFY 1u
/* Use at most this kernel level: 0 the best the CPU has (the default), 1 the baseline of the architecture, 2 and 3 the
 * next ones (x86-64-v3 and x86-64-v4). For tests, and for reproducing another machine. A level above what the CPU has
 * is lowered silently; flowrt_model_info.cpu_level tells what is used. n: 0 .. 255. */
#define FLOWRT_OPEN_LEVEL(n) (((uint32_t)(n) & 0xffu) << 8)

/* View `size` bytes at `data` (FLOWRT_ALIGNMENT-aligned) as a model.
 *
 * The whole structure is always validated, in time proportional to the number of layers, units and stages; after
 * FLOWRT_OK no evaluation reads outside the bytes, whatever the parameters are. On failure *model is unusable (later
 * calls with it return FLOWRT_ERR_MODEL). *detail, unless NULL, is always written: FLOWRT_OK, or where the file is wrong.
 * FLOWRT_ERR_ARGUMENT: a NULL, an unknown flag, or *model, *detail and the bytes overlap; then nothing is written. */
flowrt_status flowrt_model_open(flowrt_model *model, const void *data, size_t size, uint32_t flags,
                                flowrt_error_detail *detail);

/* Facts of an open model. Set struct_size (or use FLOWRT_MODEL_INFO_INIT) before the call, so that programs compiled
 * against an older header keep working: only that many bytes are written. What a newer header has besides, an older library leaves
 * as it was, zero after FLOWRT_MODEL_INFO_INIT. */
typedef struct flowrt_model_info {
    uint32_t struct_size;     /* in: sizeof(flowrt_model_info) */
    uint32_t dim;             /* D: floats in a row of x and z */
    uint32_t context_dim;     /* C: floats in a row of context; 0 if the flow is unconditional */
    uint32_t step_count;      /* invertible layers */
    uint32_t format_version;  /* of the file: major * 100 + minor */
    uint32_t cpu_level;       /* kernel level in use, 1 .. 3 as in FLOWRT_OPEN_LEVEL */
    uint64_t parameter_count; /* floats that the file stores as parameters, padding not counted */
    uint64_t data_size;       /* bytes of the model */
    uint64_t metadata_offset; /* where the UTF-8 JSON metadata starts in the model's bytes */
    uint64_t metadata_size;   /* its length in bytes, 0 if there is none */
} flowrt_model_info;
#define FLOWRT_MODEL_INFO_INIT { (uint32_t)sizeof(flowrt_model_info), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* FLOWRT_ERR_ARGUMENT: a NULL, or a struct_size below 8. */
flowrt_status flowrt_model_get_info(const flowrt_model *model, flowrt_model_info *info);

/* ---- 4. Workspace ------------------------------------------------------------------------------------------------- */

/* Bytes of scratch memory with which calls of up to `count` rows run at full speed. Exact, the same on every CPU,
 * non-decreasing in count and constant from one tile of rows on, so flowrt_workspace_size(model, SIZE_MAX) serves every
 * call. Any workspace of at least flowrt_workspace_size(model, 1) bytes is accepted by every call; less than the full
 * size is slower, never different. 0 if the model is not open. The contents need no initialisation and mean nothing
 * after a call. */
size_t flowrt_workspace_size(const flowrt_model *model, size_t count);

/* ---- 5. Evaluate --------------------------------------------------------------------------------------------------
 *
 * Common to all four verbs:
 *   count         rows; with an open model, 0 does nothing and succeeds
 *   context       NULL with context_rows 0 if the model takes none; else context_rows x context_dim floats with
 *                 context_rows 1 (one context for all rows: its part of the network is computed once) or count
 *   workspace     FLOWRT_ALIGNMENT-aligned, workspace_size bytes, used by this call alone
 *   aliasing      z may be the array x, and x the array z; with dim 1 so may log_det or log_prob, if it is the only output.
 *                 Any other overlap of what is written (outputs, workspace, *rng) with arrays, the flowrt_model or its
 *                 bytes is refused with FLOWRT_ERR_ARGUMENT
 *   on failure    outputs are untouched, except for FLOWRT_ERR_NONFINITE, where all of them were written; a row with a
 *                 NaN or an infinity never changes another row
 */

/* x[count][dim] -> z[count][dim], log_det[count] = log|det dz/dx|. z or log_det may be NULL, not both. */
flowrt_status flowrt_forward(const flowrt_model *model, size_t count, const float *x,
                             const float *context, size_t context_rows,
                             float *z, float *log_det, void *workspace, size_t workspace_size);

/* z[count][dim] -> x[count][dim], log_det[count] = log|det dx/dz|. log_det may be NULL. */
flowrt_status flowrt_inverse(const flowrt_model *model, size_t count, const float *z,
                             const float *context, size_t context_rows,
                             float *x, float *log_det, void *workspace, size_t workspace_size);

/* log_prob[count] = log p(x | context) in nats. A point outside of a bounded support has -infinity, which is an answer and
 * no failure; a row of x with a NaN has a NaN, wherever its other coordinates are. (What flowrt_forward gives outside of the
 * support is NaN, infinite or what the steps make of it.) */
flowrt_status flowrt_log_prob(const flowrt_model *model, size_t count, const float *x,
                              const float *context, size_t context_rows,
                              float *log_prob, void *workspace, size_t workspace_size);

/* ---- 6. Sample ---------------------------------------------------------------------------------------------------- */

/* Draw k of (seed, stream) is a pure function of the three numbers (Philox4x32-10, Salmon et al. 2011): keep the struct
 * to continue later, set index to seek, give each thread its own range of index or its own stream. */
typedef struct flowrt_rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t index; /* number of the next draw; a draw is one row */
} flowrt_rng;

/* Rows rng->index .. rng->index + count - 1 of x[count][dim] ~ p(x | context), and their log_prob[count] unless NULL:
 * that of the draw before x is rounded. A draw next to an open bound of the support may be rounded to the bound itself,
 * of which flowrt_log_prob says -infinity.
 * rng->index advances by count on FLOWRT_OK and FLOWRT_ERR_NONFINITE. */
flowrt_status flowrt_sample(const flowrt_model *model, size_t count, flowrt_rng *rng,
                            const float *context, size_t context_rows,
                            float *x, float *log_prob, void *workspace, size_t workspace_size);

#ifdef __cplusplus
}
#endif

#endif /* FLOWRT_H */
