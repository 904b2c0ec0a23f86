/* The seam between the part of the library that is compiled once (open, validation, API) and the kernels, which are
 * compiled once per CPU level. Internal: nothing here is exported. */
#ifndef FLOWRT_KERNELS_H
#define FLOWRT_KERNELS_H

#include "flowrt_format.h"
#include <stdbool.h>
#include <stddef.h>

/* What flowrt_model holds: the facts that flowrt_model_open proved about the bytes. Trusted; the header of the file is
 * not read again. Sizes in floats unless named otherwise. */
typedef struct flowrt_view {
    uint64_t tag;              /* a hash of the other words, which an open model has */
    uint64_t data;             /* address of the model's bytes */
    uint64_t data_size;        /* bytes */
    uint64_t metadata_size;    /* bytes */
    uint64_t parameter_count;
    uint64_t panel_count;      /* weight panels of all layers: entries of the plan's offset tables */
    uint64_t stage_count;      /* stages of all autoregressive steps and of the base */
    uint64_t prologue_size;    /* values that depend on the context alone, over all layers */
    uint64_t activations_size; /* units of all layers of the largest conditioner, each layer padded to 16 */
    uint64_t plan;             /* address of the plan that the caller keeps; 0: each call makes its own */
    uint64_t encoder_size;     /* units of all layers of the context encoder, each layer padded to 16; 0 without one */
    uint64_t planes_size;      /* scratch of the plane layer or pixelwise step that needs most; 0 if there is none */
    uint32_t dim;
    uint32_t context_dim;
    uint32_t encoded_dim; /* context of the steps: the encoder's outputs, or context_dim */
    uint32_t encoder_layers;
    uint32_t record_count;
    uint32_t step_count;
    uint32_t layer_count;
    uint32_t format_version;
    uint32_t level;
    uint32_t scratch_columns; /* of 16 floats each: what the transformer with the most parameters needs */
    uint32_t network_count;   /* steps that have a network, and the base if it has one */
    uint32_t keeps_sums;      /* 1 if a derivative needs the sum that an activation was applied to, else 0 */
    uint32_t no_gradient;     /* 1 if something has no derivative in this library, else 0 */
    uint32_t has_step_planes;    /* 1 if a step has plane layers or is pixelwise: rows are evaluated one by one */
    uint32_t has_encoder_planes; /* 1 if the encoder has plane layers: contexts are encoded one by one */
    uint32_t reserved[25];
} flowrt_view;

_Static_assert(sizeof(flowrt_view) == 256, "flowrt_view must fill flowrt_model");

/* Rows that share one tile, at most: four vectors of 16. A tile has 16, 32, 48 or 64 rows. */
#define FLOWRT_TILE_ROWS 64

/* Rows that are evaluated side by side without being a tile, at most. */
#define FLOWRT_FEW_ROWS 15

/* Few rows lie one after the other. Floats from a row to the next: of the D values of a row, the last vector of which may
 * reach past them; and of all units of a conditioner. An odd number of 64-byte lines there, so that the same unit of several
 * rows is not in the same set of a cache. */
static inline uint64_t flowrt_row_stride(uint64_t dim) { return (dim + 31) & ~(uint64_t)15; }
static inline uint64_t flowrt_unit_stride(uint64_t activations_size) { return activations_size | 16; }

/* A layer, made ready for one call. Offsets are in units. */
typedef struct flowrt_layer_plan {
    const flowrt_layer_record *record;
    const uint32_t *degree_end;  /* for g = 0 .. stages - 1: its units of degree <= g */
    const uint32_t *visible_end; /* units of its source that a unit of degree g sees */
    const float *bias;
    float *start; /* what an accumulator starts from: the bias, or the prologue's sum of all that is constant */
    const float *context_weights, *weights;
    union {
        const uint32_t *panel_start; /* first line of each panel in weights */
        const uint32_t *index;       /* of a gather: the units of its input */
    };
    const float *scale[3];       /* of the added layers; NULL for 1 */
    uint32_t width, panels; /* units; weight panels, of a plane layer those of its channels */
    uint32_t values_offset; /* of its values in the activations (a context-only layer's may be at start) */
    int32_t source;  /* a layer of the same step, FLOWRT_NO_LAYER or FLOWRT_READ_SIDE */
    int32_t gate, add[3];
    int32_t context_source; /* the layer that context_weights multiply; FLOWRT_NO_LAYER: the context */
    float a;
    uint16_t activation;
    uint8_t context_only;    /* its values depend on the context alone */
    uint8_t constant_source; /* its source's values do */
    uint8_t is_plane;        /* its operation is another than the linear term */
    uint8_t in_prologue;     /* `start` is a part of the prologue */
    /* how far the sweep has come */
    uint32_t final_units;   /* units whose values are final */
    uint32_t degree;        /* all degrees below this one are final */
    uint32_t visible_units; /* source units that the accumulators in progress have seen */
    uint32_t pushed_units;  /* source units that went, in whole blocks, to all panels that see them */
} flowrt_layer_plan;

/* Floats of the prologue that a layer's sums start from, if they depend on the context: made once for each. Of a plane layer, if
 * its channels have a context besides their input. */
static inline uint64_t flowrt_prologue_floats(bool is_plane, bool context_only, bool constant_source, bool has_source,
                                              bool has_context, uint64_t panels) {
    bool is_in_prologue = is_plane ? has_source && has_context : context_only || constant_source || has_context;
    return is_in_prologue ? 16 * panels : 0;
}

enum { FLOWRT_NO_LAYER = -1, FLOWRT_READ_SIDE = -2 };

/* The blocks of a step or base, as they lie in the file, and in the order of their fields (Layout.swift). */
typedef struct flowrt_autoregressive_blocks { const uint32_t *data_index, *noise_index; } flowrt_autoregressive_blocks;
typedef struct flowrt_diagonal_blocks { const float *scale, *shift; } flowrt_diagonal_blocks;
typedef struct flowrt_linear_blocks { const float *matrix, *inverse_matrix, *shift; } flowrt_linear_blocks;
typedef struct flowrt_elementwise_blocks { const uint32_t *functions; const float *lower, *upper; } flowrt_elementwise_blocks;
typedef struct flowrt_permutation_blocks { const uint32_t *index; } flowrt_permutation_blocks;
typedef struct flowrt_pixelwise_blocks { const uint32_t *index; const float *matrix, *inverse_matrix, *shift; } flowrt_pixelwise_blocks;
typedef struct flowrt_diagonal_normal_blocks { const float *mean, *std; } flowrt_diagonal_normal_blocks;
typedef struct flowrt_box_uniform_blocks { const float *lower, *upper; } flowrt_box_uniform_blocks;
typedef struct flowrt_normal_mixture_blocks {
    const float *log_weights, *components; /* of each component: mean, std */
    float *constants;                      /* not in the file but in the prologue: flowrt_mixture_floats */
} flowrt_normal_mixture_blocks;
typedef struct flowrt_autoregressive_mixture_blocks { const uint32_t *index; } flowrt_autoregressive_mixture_blocks;

typedef struct flowrt_step_plan {
    const flowrt_step_record *record;
    flowrt_layer_plan *layers;  /* of a step, encoder or base that has a network */
    const uint32_t *stage_end;  /* of a step or base with stages: for each, the ranks up to its end */
    union {                     /* by the kind of the record, and by the density of a base */
        flowrt_autoregressive_blocks autoregressive; /* the coordinate of each rank, on both sides */
        flowrt_diagonal_blocks diagonal;
        flowrt_linear_blocks linear; /* the matrices as weight panels */
        flowrt_elementwise_blocks elementwise;
        flowrt_permutation_blocks permutation;
        flowrt_pixelwise_blocks pixelwise; /* the coordinates; the matrices as weight panels */
        flowrt_diagonal_normal_blocks diagonal_normal;
        flowrt_box_uniform_blocks box_uniform;
        flowrt_normal_mixture_blocks normal_mixture;
        flowrt_autoregressive_mixture_blocks autoregressive_mixture; /* the coordinate of each rank */
    };
} flowrt_step_plan;

/* Floats of the prologue that hold a mixture's constants: K, padded to 16, and K + 1 (Base.swift). */
static inline uint64_t flowrt_mixture_floats(uint64_t components) { return (2 * components + 32) & ~(uint64_t)15; }

/* Bytes that the workspace sets aside for each: the same on 32-bit and 64-bit machines. */
#define FLOWRT_LAYER_PLAN_BYTES 192
#define FLOWRT_STEP_PLAN_BYTES 64
_Static_assert(sizeof(flowrt_layer_plan) <= FLOWRT_LAYER_PLAN_BYTES, "layer plan");
_Static_assert(sizeof(flowrt_step_plan) <= FLOWRT_STEP_PLAN_BYTES, "step plan");

enum { FLOWRT_VERB_FORWARD, FLOWRT_VERB_INVERSE, FLOWRT_VERB_LOG_PROB, FLOWRT_VERB_SAMPLE, FLOWRT_VERB_GRADIENT };

struct flowrt_call;

/* Takes the state through one step (or, for the encoder's record, the contexts through the encoder): the part of the
 * library that every CPU level has its own of. rows: up to FLOWRT_FEW_ROWS, or those of a tile; contexts: the steps' context
 * of the rows, NULL if what depends on it is in the prologue; to_noise: from data to noise, else
 * back. */
typedef void flowrt_step_function(const struct flowrt_call *call, const flowrt_step_plan *step, ptrdiff_t rows,
                                  const float *contexts, bool to_noise);
typedef flowrt_step_function *flowrt_step_runner;

/* The weight panels of a layer, each with a line of 16 weights for each source unit. */
typedef struct flowrt_panels {
    const float *weights;
    const uint32_t *starts; /* of each panel, its first line; NULL: every panel has `lines` */
    ptrdiff_t lines;
} flowrt_panels;

/* by[k] += the sum over units u = first .. end - 1, in this order, of w[k][u] from[u], for source units k = source .. source_end
 * - 1, which all of these units see. by and from: `rows` floats for each unit, those of a tile. Of every CPU level, as the steps
 * are; the rest of a gradient is level 2's at level 3. */
typedef void flowrt_transposed_function(float *by, const flowrt_panels *panels, ptrdiff_t source, ptrdiff_t source_end,
                                        const float *from, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t end);
typedef flowrt_transposed_function *flowrt_transposed_product;

/* What a gradient writes and needs besides. Each part of the workspace has a tile's rows side by side, as docs/GRADIENTS.md draws
 * them. Derivatives are those of log p. */
typedef struct flowrt_gradient {
    float *x_output, *context_output; /* dim and context_dim floats for each row of the call; or NULL */
    flowrt_transposed_product accumulate;
    float *units;   /* network_count x activations_size: the values of the units of every network */
    float *sums;    /* as many, or NULL if not keeps_sums: what the activations were applied to */
    float *encoder_sums; /* the same of the encoder */
    float *sides;   /* step_count x dim: of each step, the side that the derivatives need */
    float *by_state;   /* dim, by coordinate: by the flow's current value */
    float *by_read;    /* dim, by rank: by the side that the conditioner reads */
    float *by_units;   /* by the units of one network: first by their values, then by their sums */
    float *by_context; /* encoded_dim: by the steps' context */
    float *by_callers_context; /* context_dim: by the caller's, if there is an encoder */
    float *columns; /* of 16 floats: what the derivatives of a transformer need */
} flowrt_gradient;

/* One evaluation: validated arguments and the workspace, carved into its parts (docs/SWEEP.md, "Workspace"). */
typedef struct flowrt_call {
    const flowrt_view *view;
    flowrt_step_runner run_step;
    uint32_t verb;
    uint32_t tile_rows; /* the largest tile that the workspace can hold, and few rows; or 1: single rows alone */
    uint64_t count;
    const float *input;   /* x or z; NULL for sample */
    const float *context; /* NULL if there is none */
    uint64_t rows_per_context; /* row i has context i / rows_per_context; count if there is none */
    float *output;     /* z or x, or NULL */
    float *log_output; /* log_det or log_prob, or NULL */
    uint64_t seed, stream, index;

    flowrt_step_plan *steps;   /* one for each step, one for the base, one for the encoder */
    flowrt_layer_plan *layers; /* one for each layer */
    uint32_t *tables;   /* two for each stage: see Plan.swift */
    uint32_t *panels;   /* start of every weight panel, in lines of 16 floats, relative to its layer's weights */
    float *prologue;    /* prologue_size */
    float *planes;      /* planes_size: an input plane with its border */
    float *context_tile; /* context_dim x tile_rows; unused by few rows with one context each */
    /* Of a tile: size x tile_rows, rows side by side. Of few rows: one row after the other, as long as the functions above say. */
    float *encoder;     /* encoder_size */
    float *state;       /* dim, by coordinate: the flow's current value */
    float *read;        /* dim, by rank: the side that the conditioner reads */
    float *other;       /* dim, by rank: the other side; for few rows */
    float *log_scale;   /* dim, by rank: terms of the log-determinant; for few rows */
    float *log_sum;     /* 3 x rows: running log-determinant, its rounding error, points outside the support */
    float *transformer_scratch; /* 16 floats each: known, unknown, log s, parameters of 16 values of few rows; or a tile's log s; then
                           what a spline needs */
    float *activations; /* activations_size; for a gradient the part of gradient->units of the network that is evaluated next */
    float *sums;        /* for a gradient, its part of gradient->sums; else NULL */
    const flowrt_gradient *gradient; /* of FLOWRT_VERB_GRADIENT, else NULL */
} flowrt_call;

/* What is called of the kernels. The names are those of the baseline; of the higher levels, the build keeps only what
 * differs, under the names below (cmake/FlowrtSwift.cmake). */

/* Makes the plan of a call: fills `steps`, `layers`, `tables` and `panels`. Or copies what the caller keeps of it. */
void flowrt_make_plan(const flowrt_call *call);

/* Runs a call whose plan is made. Returns whether all that it wrote is finite, or minus infinity as the log p of a point
 * outside of the support. Level 3 shares that of level 2, and differs from it in its steps, whose results have the same
 * bits. */
bool flowrt_evaluate(flowrt_call *call), flowrt_evaluate_level2(flowrt_call *call);

flowrt_step_function flowrt_step, flowrt_step_level2, flowrt_step_level3;
flowrt_transposed_function flowrt_transposed, flowrt_transposed_level2, flowrt_transposed_level3;

#endif
