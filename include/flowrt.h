/* flowrt: density and sampling of trained normalizing flows: masked and inverse autoregressive ones (MAF, IAF), and
 * couplings.
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
 * The caller owns all memory. Nothing here allocates, locks, makes a system call or keeps a global.
 *
 * Threads: any number of threads may call any function at once, also on one model. Each call needs its own outputs, its
 * own generator and its own workspace.
 *
 * Results do not depend on the batch around a row, on the workspace size or on the thread. They have the same bits on
 * every CPU with fused multiply-add. There are two exceptions: the bits of a NaN, and subnormal numbers (below 1.2e-38)
 * on 32-bit ARM, whose vector unit flushes them to zero.
 *
 * The default floating-point environment is assumed: rounding to nearest, exceptions not trapped (feenableexcept).
 * Calls may raise exception flags spuriously. A caller that flushes subnormal numbers to zero (FTZ and DAZ of x86, as
 * -ffast-math sets them when a program starts; FZ of ARM) has what 32-bit ARM has: results without subnormal numbers
 * keep their bits.
 *
 * The life of a program, in the order of this file:
 *   1. version    which library is this?
 *   2. status     what went wrong?
 *   3. model      view a .flw file that is in memory, flash or mmap
 *   4. workspace  how many bytes of scratch does a call need? And a plan, to make calls of one row faster
 *   5. evaluate   forward, inverse, log_prob
 *   6. sample     draws that are a pure function of (seed, stream, index)
 *   7. gradient   of log p, by x and by the context
 */
#ifndef FLOWRT_H
#define FLOWRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Version -------------------------------------------------------------------------------------------------- */

#define FLOWRT_VERSION_MAJOR 0
#define FLOWRT_VERSION_MINOR 1
#define FLOWRT_VERSION_PATCH 0

/* major * 10000 + minor * 100 + patch of the library that is linked, which may differ from the header's. */
uint32_t flowrt_version_number(void);

/* The version of the linked library as text, "0.1.0". Static storage. */
const char *flowrt_version_string(void);

/* One line: compiler, target and the kernel level that flowrt_model_open chooses on this machine. Static storage. */
const char *flowrt_build_info(void);

/* ---- 2. Status --------------------------------------------------------------------------------------------------- */

/* Every call that can fail returns one of these. The values are permanent, and later versions add some: test for
 * FLOWRT_OK, and let flowrt_status_message tell the rest. Of several wrong things, a call names one. */
typedef enum flowrt_status {
    FLOWRT_OK = 0,
    /* the call */
    FLOWRT_ERR_ARGUMENT = -1,        /* struct_size below 8, or workspace_size or plan_size beyond the address space */
    FLOWRT_ERR_MODEL = -2,           /* the flowrt_model was not opened, or it or its plan was overwritten */
    FLOWRT_ERR_WORKSPACE = -3,       /* workspace_size is below flowrt_workspace_size(model, 1), or for a gradient
                                        flowrt_gradient_workspace_size(model, 1); or plan_size is below
                                        flowrt_plan_size(model) */
    FLOWRT_ERR_ALIGNMENT = -4,       /* model data, workspace or plan not on FLOWRT_ALIGNMENT bytes, or floats not on 4 */
    FLOWRT_ERR_NULL = -5,            /* a pointer that the call needs is NULL */
    FLOWRT_ERR_OVERLAP = -6,         /* what is written overlaps something else (section 5, aliasing) */
    FLOWRT_ERR_CONTEXT_MISSING = -7, /* the model takes a context, and context is NULL */
    FLOWRT_ERR_CONTEXT_UNUSED = -8,  /* the model takes none, and context is not NULL or context_rows not 0 */
    FLOWRT_ERR_CONTEXT_ROWS = -9,    /* context_rows is 0, or does not divide count */
    FLOWRT_ERR_COUNT = -40,          /* the arrays of count rows would not fit the address space */
    FLOWRT_ERR_FLAGS = -41,          /* a flag of flowrt_model_open that this library does not know */
    /* the file */
    FLOWRT_ERR_TRUNCATED = -10,      /* fewer or more bytes than the file says it has, or than its layers need */
    FLOWRT_ERR_MAGIC = -11,          /* not a .flw file (or a text-mode transfer damaged it) */
    FLOWRT_ERR_VERSION = -12,        /* written for another major version of the format */
    FLOWRT_ERR_FEATURE = -13,        /* well-formed, but needs something that this library does not execute */
    FLOWRT_ERR_MALFORMED = -14,      /* contradicts docs/FORMAT.md */
    FLOWRT_ERR_LIMIT = -15,          /* a size beyond what this library or this machine's size_t can hold */
    FLOWRT_ERR_CHECKSUM = -16,       /* FLOWRT_OPEN_VERIFY: the bytes changed since they were written */
    FLOWRT_ERR_VALUE = -17,          /* FLOWRT_OPEN_VERIFY: a parameter is not finite or in range, or padding not zero */
    /* the numbers */
    FLOWRT_ERR_NONFINITE = -20,      /* all outputs were written; at least one of them is NaN or infinite: an input or a
                                        context is, or a row is too far from the data for float32 (flowrt_check.h) */
    /* the gradient */
    FLOWRT_ERR_GRADIENT = -30        /* no gradient for a part of the model, or on this CPU (section 7) */
} flowrt_status;

/* One English sentence for a status, without a newline. Static storage, never NULL, also for unknown values. */
const char *flowrt_status_message(flowrt_status status);

/* Where and why a file was refused, in plain numbers. */
typedef struct flowrt_error_detail {
    int32_t status;    /* the flowrt_status that was returned */
    int32_t record;    /* index of the record in the file (docs/FORMAT.md), or -1 for the file header */
    uint64_t offset;   /* byte offset of the offending field or byte */
    uint64_t expected; /* the value that the format requires there; 0 if no single number describes it */
    uint64_t found;    /* the value in the file, or the number computed from it */
} flowrt_error_detail;

/* ---- 3. Model ---------------------------------------------------------------------------------------------------- */

/* Required alignment, in bytes, of model data, workspaces and plans. Rows of floats need the alignment of a float only. */
#define FLOWRT_ALIGNMENT 64

/* A view of a model's bytes. It may live anywhere and may be copied with memcpy. It has nothing to free. The bytes must
 * stay in place, unchanged, as long as the view is used. */
typedef struct flowrt_model {
    uint64_t private_[32];
} flowrt_model;

/* Flags of flowrt_model_open, or-ed together. */
#define FLOWRT_OPEN_DEFAULT 0u
/* Also check every byte: checksum, finite parameters, zero padding. Without this flag only the structure is checked. */
#define FLOWRT_OPEN_VERIFY 1u
/* Use at most this kernel level: 0 the best the CPU has (the default), 1 the baseline of the architecture, 2 and 3 the
 * next ones (x86-64-v3 and x86-64-v4). For tests, and for reproducing another machine. A level that the CPU lacks is
 * lowered silently. flowrt_model_info.cpu_level has the level in use. n: 0 .. 255. */
#define FLOWRT_OPEN_LEVEL(n) (((uint32_t)(n) & 0xffu) << 8)

/* View `size` bytes at `data` (FLOWRT_ALIGNMENT-aligned) as a model.
 *
 * Always validates the whole structure, in time proportional to the number of layers, units and stages. After FLOWRT_OK
 * no evaluation reads outside the bytes, whatever the parameters are. After a failure *model is unusable: later calls
 * with it return FLOWRT_ERR_MODEL. *detail, unless NULL, receives FLOWRT_OK, or the place where the file is wrong.
 * FLOWRT_ERR_NULL: no model or no data. FLOWRT_ERR_FLAGS: an unknown flag. FLOWRT_ERR_OVERLAP: *model, *detail and the
 * bytes overlap; then nothing is written. */
flowrt_status flowrt_model_open(flowrt_model *model, const void *data, size_t size, uint32_t flags,
                                flowrt_error_detail *detail);

/* Facts of an open model. Set struct_size (or use FLOWRT_MODEL_INFO_INIT) before the call: the library writes only that
 * many bytes, so programs compiled against an older header keep working. An older library does not write the fields
 * that a newer header adds; after FLOWRT_MODEL_INFO_INIT they are zero. */
typedef struct flowrt_model_info {
    uint32_t struct_size;     /* in: sizeof(flowrt_model_info) */
    uint32_t dim;             /* D: floats in a row of x and z */
    uint32_t context_dim;     /* C: floats in a row of context; 0 if the flow is unconditional */
    uint32_t step_count;      /* invertible layers */
    uint32_t format_version;  /* of the file: major * 100 + minor */
    uint32_t cpu_level;       /* kernel level in use, 1 .. 3 as in FLOWRT_OPEN_LEVEL */
    uint64_t parameter_count; /* floats that the file stores as parameters, without padding */
    uint64_t data_size;       /* bytes of the model */
    uint64_t metadata_offset; /* where the UTF-8 JSON metadata starts in the model's bytes */
    uint64_t metadata_size;   /* its length in bytes, 0 if there is none */
} flowrt_model_info;
#define FLOWRT_MODEL_INFO_INIT { (uint32_t)sizeof(flowrt_model_info), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* FLOWRT_ERR_NULL: no model or no info. FLOWRT_ERR_ARGUMENT: a struct_size below 8. */
flowrt_status flowrt_model_get_info(const flowrt_model *model, flowrt_model_info *info);

/* ---- 4. Workspace ------------------------------------------------------------------------------------------------ */

/* Bytes of scratch memory with which calls of up to `count` rows run at full speed. Exact, the same on every CPU,
 * non-decreasing in count and constant from one tile of rows on: flowrt_workspace_size(model, SIZE_MAX) serves every
 * call but flowrt_log_prob_gradient, whose own size is larger (section 7). Each of these accepts any workspace of at
 * least flowrt_workspace_size(model, 1) bytes. A smaller one makes it slower and never changes its results. 0 if the
 * model is not open. The contents need no initialisation, and they have no meaning after a call. */
size_t flowrt_workspace_size(const flowrt_model *model, size_t count);

/* Bytes of memory that flowrt_model_prepare needs. The same on every CPU. 0 if the model is not open. */
size_t flowrt_plan_size(const flowrt_model *model);

/* Optional: make the plan of the model (where its weights lie) once, instead of at the beginning of each call. It pays
 * where calls have one row or few, and the flow is small: docs/PERFORMANCE.md.
 *
 * `plan` is FLOWRT_ALIGNMENT-aligned, plan_size bytes, at least flowrt_plan_size(model). After FLOWRT_OK the model and
 * its copies use it, with the same functions, workspaces and results as before. They only read it: any number of
 * threads may share it. Like the model's bytes, it must stay in place, unchanged, as long as they are used. There is
 * nothing to free. Copies that were made before go on without a plan.
 *
 * Writes *model: no call may use it meanwhile. FLOWRT_ERR_WORKSPACE: plan_size is too small. FLOWRT_ERR_OVERLAP: the
 * plan overlaps *model or the model's bytes; in later calls, their outputs or workspace. After a failure *model is as it
 * was. A call whose plan's beginning was overwritten, as by the plan of another model, returns FLOWRT_ERR_MODEL. */
flowrt_status flowrt_model_prepare(flowrt_model *model, void *plan, size_t plan_size);

/* ---- 5. Evaluate --------------------------------------------------------------------------------------------------
 *
 * Common to all four verbs:
 *   count         rows; with an open model, 0 does nothing and succeeds
 *   context       NULL with context_rows 0 if the model takes none; else context_rows x context_dim floats, where
 *                 context_rows divides count: 1 (one context for all rows), count (one for each), or any m in between,
 *                 with count / m rows for each: row i has context i / (count / m). From 16 rows for each on, a
 *                 context's part of the network is computed once
 *   workspace     FLOWRT_ALIGNMENT-aligned, workspace_size bytes, used by this call alone
 *   aliasing      z may be the array x, and x the array z. With dim 1, so may log_det or log_prob as the only output.
 *                 FLOWRT_ERR_OVERLAP: any other overlap of outputs, workspace or *rng with arrays, the flowrt_model,
 *                 its bytes or its plan
 *   on failure    the outputs keep their old contents. FLOWRT_ERR_NONFINITE is the exception: all outputs were written.
 *                 A row with a NaN or an infinity never changes another row
 */

/* x[count][dim] -> z[count][dim], log_det[count] = log|det dz/dx|. z or log_det may be NULL, not both. */
flowrt_status flowrt_forward(const flowrt_model *model, size_t count, const float *x,
                             const float *context, size_t context_rows,
                             float *z, float *log_det, void *workspace, size_t workspace_size);

/* z[count][dim] -> x[count][dim], log_det[count] = log|det dx/dz|. log_det may be NULL. */
flowrt_status flowrt_inverse(const flowrt_model *model, size_t count, const float *z,
                             const float *context, size_t context_rows,
                             float *x, float *log_det, void *workspace, size_t workspace_size);

/* log_prob[count] = log p(x | context) in nats. A point outside a bounded support has -infinity, and the call succeeds.
 * A row with a NaN gives NaN, even if other coordinates lie outside the support. Outside the support, the results of
 * flowrt_forward are unspecified. */
flowrt_status flowrt_log_prob(const flowrt_model *model, size_t count, const float *x,
                              const float *context, size_t context_rows,
                              float *log_prob, void *workspace, size_t workspace_size);

/* ---- 6. Sample --------------------------------------------------------------------------------------------------- */

/* Draw k of (seed, stream) is a pure function of the three numbers (Philox4x32-10, Salmon et al. 2011). Keep the struct
 * to continue later. Set index to seek. Give each thread its own range of index, or its own stream. */
typedef struct flowrt_rng {
    uint64_t seed;
    uint64_t stream;
    uint64_t index; /* number of the next draw; a draw is one row */
} flowrt_rng;

/* Draws rng->index .. rng->index + count - 1: x[count][dim] ~ p(x | context), and log_prob[count] unless it is NULL.
 * log_prob belongs to the exact draw, before rounding to float32. Rounding may move a draw next to an open bound of the
 * support onto the bound itself, where flowrt_log_prob gives -infinity.
 * rng->index advances by count on FLOWRT_OK and FLOWRT_ERR_NONFINITE. */
flowrt_status flowrt_sample(const flowrt_model *model, size_t count, flowrt_rng *rng,
                            const float *context, size_t context_rows,
                            float *x, float *log_prob, void *workspace, size_t workspace_size);

/* ---- 7. Gradient ------------------------------------------------------------------------------------------------- */

/* As flowrt_workspace_size, for flowrt_log_prob_gradient, which keeps the units of all networks: more memory, by a
 * factor of about the number of steps. docs/GRADIENTS.md has the bytes for each row. SIZE_MAX if no workspace on this
 * machine is large enough. */
size_t flowrt_gradient_workspace_size(const flowrt_model *model, size_t count);

/* The score. Of each row, with the arguments of flowrt_log_prob:
 *   log_prob[count]                       log p(x | context), with the bits of flowrt_log_prob
 *   x_gradient[count][dim]                d log p / d x
 *   context_gradient[count][context_dim]  d log p / d context; of each row, also where all rows share one context. The
 *                                         gradient of a sum over rows is the sum of these
 * Each may be NULL, but not all three. FLOWRT_ERR_CONTEXT_UNUSED: context_gradient, and the model takes no context.
 * x_gradient may be the array x. Any other overlap is FLOWRT_ERR_OVERLAP, as for the other verbs.
 *
 * Where a function has a kink (relu at 0, a bound of a clamp), the derivative is that of one side, the one that automatic
 * differentiation takes (docs/GRADIENTS.md). A point outside of a bounded support has log p = -infinity and gradient 0. A
 * row whose log p is NaN has a gradient of NaNs.
 *
 * workspace_size is at least flowrt_gradient_workspace_size(model, 1); more is faster, and never changes the results.
 * FLOWRT_ERR_GRADIENT: nothing was written. The model has a spline of quadratic, cubic or linear-rational pieces, or
 * convolutions or other layers of images; or the kernel level is the baseline of x86-64, which has no fused multiply-add. */
flowrt_status flowrt_log_prob_gradient(const flowrt_model *model, size_t count, const float *x,
                                       const float *context, size_t context_rows,
                                       float *log_prob, float *x_gradient, float *context_gradient,
                                       void *workspace, size_t workspace_size);

#ifdef __cplusplus
}
#endif

#endif /* FLOWRT_H */
