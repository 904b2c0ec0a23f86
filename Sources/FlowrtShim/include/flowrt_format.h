/* The structures of a .flw file as they lie in memory. docs/FORMAT.md is the specification; the names are its names. */
#ifndef FLOWRT_FORMAT_H
#define FLOWRT_FORMAT_H

#include <stdint.h>

typedef struct flowrt_file_header {
    uint8_t magic[8];
    uint16_t major, minor;
    uint32_t crc32;
    uint64_t file_size;
    uint32_t features;
    uint32_t dim, context_dim, record_count;
    uint64_t metadata_size;
    uint8_t reserved[16];
} flowrt_file_header;

enum {
    FLOWRT_RECORD_AUTOREGRESSIVE = 1,
    FLOWRT_RECORD_LAYER = 2,
    FLOWRT_RECORD_DIAGONAL = 3,
    FLOWRT_RECORD_LINEAR = 4,
    FLOWRT_RECORD_ELEMENTWISE = 5,
    FLOWRT_RECORD_PERMUTATION = 6,
    FLOWRT_RECORD_ENCODER = 7,
    FLOWRT_RECORD_BASE = 8
};

enum { FLOWRT_TRANSFORMER_AFFINE = 1, FLOWRT_TRANSFORMER_ADDITIVE = 2, FLOWRT_TRANSFORMER_SPLINE = 3 };

/* Autoregressive steps, encoders and bases; the fields that a kind does not have are zero. */
typedef struct flowrt_step_record {
    uint16_t kind;
    uint16_t reads; /* base: the density */
    uint32_t stage_count;
    uint32_t passthrough;
    uint16_t layer_count;
    uint16_t transformer, form, scale;
    uint32_t bins;
    float p[8];
    uint8_t reserved[8];
} flowrt_step_record;

typedef struct flowrt_layer_record {
    uint16_t kind;
    uint16_t activation;
    uint32_t width;
    uint16_t source, context, gate, add[3], scaled, reserved0;
    float a;
    uint8_t reserved[36];
} flowrt_layer_record;

/* Diagonal and linear steps. */
typedef struct flowrt_constant_record {
    uint16_t kind;
    uint8_t reserved0[6];
    double log_det;
    uint8_t reserved[48];
} flowrt_constant_record;

/* The pieces of a spline: its form from bit 7 on. */
#define FLOWRT_PIECES_RATIONAL_QUADRATIC 0
#define FLOWRT_PIECES_LINEAR 1
#define FLOWRT_PIECES_QUADRATIC 2
#define FLOWRT_PIECES_LINEAR_RATIONAL 3
#define FLOWRT_PIECES_CUBIC 4

/* What a spline needs for 16 values, besides their parameters: columns of 16 floats. */
#define FLOWRT_SPLINE_COLUMNS 15

/* Parameters of each rank: the factor between ranks and output rows (docs/FORMAT.md section 5). */
static inline uint32_t flowrt_transformer_parameters(uint16_t transformer, uint16_t form, uint32_t bins) {
    switch (transformer) {
    case FLOWRT_TRANSFORMER_AFFINE: return 2;
    case FLOWRT_TRANSFORMER_ADDITIVE: return 1;
    default: break;
    }
    const uint32_t ends = (form >> 4) & 3;
    const uint32_t derivatives = ends == 0 ? bins - 1 : ends == 1 ? bins + 1 : bins;
    switch (form >> 7) { /* widths, heights, derivatives, shares */
    case FLOWRT_PIECES_RATIONAL_QUADRATIC: return bins + bins + derivatives;
    case FLOWRT_PIECES_LINEAR: return bins;
    case FLOWRT_PIECES_QUADRATIC: return bins + derivatives;
    case FLOWRT_PIECES_LINEAR_RATIONAL: return bins + bins + derivatives + bins;
    default: return bins + bins + 2; /* cubic */
    }
}

_Static_assert(sizeof(flowrt_file_header) == 64 && sizeof(flowrt_step_record) == 64, "64-byte records");
_Static_assert(sizeof(flowrt_layer_record) == 64 && sizeof(flowrt_constant_record) == 64, "64-byte records");

#endif
