/* Random flows as .flw bytes, written from docs/FORMAT.md alone. */
#ifndef FLOW_H
#define FLOW_H

#include <flowrt.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RECORD_AUTOREGRESSIVE = 1,
    RECORD_LAYER = 2,
    RECORD_DIAGONAL = 3,
    RECORD_LINEAR = 4,
    RECORD_ELEMENTWISE = 5,
    RECORD_PERMUTATION = 6,
    RECORD_ENCODER = 7,
    RECORD_BASE = 8,
    RECORD_PIXELWISE_LINEAR = 9
};
enum { DENSE, CONVOLUTION, DEPTHWISE_CONVOLUTION, MAX_POOLING, GATHER };

enum { READS_DATA = 0, READS_NOISE = 1 };
enum { DIAGONAL_NORMAL = 1, BOX_UNIFORM, NORMAL_MIXTURE, CONDITIONAL_NORMAL, AUTOREGRESSIVE_MIXTURE };
enum { AFFINE = 1, ADDITIVE = 2, SPLINE = 3 };
enum { LINEAR_PIECES = 1, QUADRATIC_PIECES, LINEAR_RATIONAL_PIECES, CUBIC_PIECES }; /* the form of a spline, from bit 7 on */
enum { SCALE_THEN_SHIFT = 0, SHIFT_THEN_SCALE = 1, GATED = 2 };
enum {
    SCALE_EXP,
    SCALE_EXP_CLAMPED,
    SCALE_SOFTPLUS,
    SCALE_SOFTPLUS_CLAMPED,
    SCALE_SIGMOID,
    SCALE_EXP_SOFT_CLIPPED,
    SCALE_EXP_TANH,
    SCALE_EXP_ATAN,
    SCALE_COUNT
};
enum {
    IDENTITY,
    RELU,
    TANH,
    ELU,
    LEAKY_RELU,
    SILU,
    GELU,
    GELU_TANH,
    SIGMOID,
    SOFTPLUS,
    SOFTSIGN,
    LAYER_NORM,
    SINE,
    ARCTANGENT,
    INVERSE_HYPERBOLIC_SINE,
    ACTIVATION_COUNT
};
/* What the fields source, context, gate and add of a layer refer to. */
enum { NONE = 0, READ_SIDE = 1, CONTEXT = 1 };
#define LAYER(i) ((uint16_t)(2 + (i)))

enum { MAX_LAYERS = 8, MAX_STEPS = 12 };

/* Of a plane layer, as they lie in its record. */
typedef struct plane_spec {
    uint16_t height, width;
    uint32_t in_channels, channels;
    uint16_t kernel[2], stride[2], dilation[2], pad[4];
    uint32_t reserved;
} plane_spec;

/* The fields of a layer record. */
typedef struct layer_spec {
    uint32_t width; /* 0 in the output layer: it follows from the step */
    uint16_t activation, source, context, gate, add[3], scaled;
    uint16_t later; /* how many degrees its units have more than those of other layers */
    float a;
    uint16_t operation;
    plane_spec plane;
} layer_spec;

/* The fields of a step record and its layers, the last of which is the output layer. kind 0 ends a list of steps;
 * before it, kind RECORD_BASE asks for the base that `reads` names. RECORD_ENCODER comes first; it has layers alone. An
 * elementwise step has functions that undo those of the step before it if `reads` is 1. A pixelwise step has `stages` pixels
 * and `bins` channels. */
typedef struct step_spec {
    uint16_t kind, reads, transformer, form, scale;
    uint32_t stages; /* 0: as many as coordinates */
    uint32_t passthrough;
    uint32_t bins;
    float p[8];
    uint16_t layer_count;
    layer_spec layers[MAX_LAYERS];
} step_spec;

typedef struct flow_spec {
    const char *name;
    uint32_t dim, context_dim;
    step_spec steps[MAX_STEPS];
} flow_spec;

typedef struct flow_file {
    uint8_t *bytes; /* FLOWRT_ALIGNMENT-aligned; flow_free */
    size_t size;
} flow_file;

/* The flow with random orders and parameters; equal seeds give equal bytes. */
flow_file flow_build(const flow_spec *spec, uint64_t seed);
void flow_free(flow_file file);

/* Whether the base is a standard normal. */
int flow_has_standard_base(const flow_spec *spec);

/* Whether it has plane layers or a pixelwise step. */
int flow_has_planes(const flow_spec *spec);

/* Write the checksum that the bytes need. */
void flow_seal(flow_file file);

/* Flows that between them use everything that the library executes. */
extern const flow_spec flow_cases[];
extern const size_t flow_case_count;
const flow_spec *flow_case(const char *name);

/* Open at kernel level 1, 2 or 3: 1, or 0 if this CPU does not have that level. A refusal ends the program. */
int flow_open_level(flowrt_model *model, flow_file file, uint32_t level);
enum { HIGHEST_LEVEL = 3 };

/* Run a test on every flow of flow_cases at every kernel level of this CPU; prints how often it ran. With
 * FLOWRT_EVERY_FLOW=n in the environment, on every n-th flow. */
void for_each_flow(void (*test)(const flow_spec *spec, const flowrt_model *model, uint32_t level));

/* Whether kernels of that level use fused multiply-add, so that their results have the same bits as everywhere. */
int level_has_fma(uint32_t level);

#endif
