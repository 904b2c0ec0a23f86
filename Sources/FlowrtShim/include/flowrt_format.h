/* The structures of a .flw file as they lie in memory. docs/FORMAT.md is the specification; the names are its names.
 * The codes of kinds, activations and so on are the enums of Codes.swift. */
#ifndef FLOWRT_FORMAT_H
#define FLOWRT_FORMAT_H

#include <stddef.h>
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

/* Autoregressive steps, encoders and bases; the fields that a kind does not have are zero. */
typedef struct flowrt_step_record {
    uint16_t kind;
    union { uint16_t reads, density; };   /* of a step, the side that its conditioner reads; of a base */
    uint32_t stage_count;
    uint32_t passthrough;
    uint16_t layer_count;
    uint16_t transformer, form, scale;
    union { uint32_t bins, components; }; /* of a spline; of a mixture */
    float p[8];
    uint8_t reserved[8];
} flowrt_step_record;

typedef struct flowrt_layer_record {
    uint16_t kind;
    uint16_t activation;
    uint32_t width;
    uint16_t source, context, gate, add[3], scaled, operation;
    float a;
    /* of a plane layer; pairs are rows and columns */
    uint16_t plane[2]; /* the input */
    uint32_t in_channels, channels;
    uint16_t kernel[2], stride[2], dilation[2];
    uint16_t pad[4]; /* top, bottom, left, right */
    uint32_t reserved;
} flowrt_layer_record;

/* Diagonal and linear steps. */
typedef struct flowrt_constant_record {
    uint16_t kind;
    uint8_t reserved0[6];
    double log_det;
    uint8_t reserved[48];
} flowrt_constant_record;

typedef struct flowrt_pixelwise_record {
    uint16_t kind;
    uint8_t reserved0[2];
    uint32_t channels;
    double log_det;
    uint32_t pixels;
    uint8_t reserved[44];
} flowrt_pixelwise_record;

/* Where the fields are that can be wrong: bytes from the start of their structure. */
enum {
    FLOWRT_HEADER_MAJOR = offsetof(flowrt_file_header, major),
    FLOWRT_HEADER_CRC32 = offsetof(flowrt_file_header, crc32),
    FLOWRT_HEADER_FILE_SIZE = offsetof(flowrt_file_header, file_size),
    FLOWRT_HEADER_FEATURES = offsetof(flowrt_file_header, features),
    FLOWRT_HEADER_DIM = offsetof(flowrt_file_header, dim),
    FLOWRT_HEADER_CONTEXT_DIM = offsetof(flowrt_file_header, context_dim),
    FLOWRT_HEADER_RECORD_COUNT = offsetof(flowrt_file_header, record_count),
    FLOWRT_HEADER_METADATA_SIZE = offsetof(flowrt_file_header, metadata_size),
    FLOWRT_HEADER_RESERVED = offsetof(flowrt_file_header, reserved)
};
enum { FLOWRT_RECORD_KIND = 0, FLOWRT_RECORD_FIELDS = 2 }; /* of any record, and what follows it */
enum {
    FLOWRT_STEP_READS = offsetof(flowrt_step_record, reads),
    FLOWRT_STEP_DENSITY = offsetof(flowrt_step_record, density),
    FLOWRT_STEP_STAGE_COUNT = offsetof(flowrt_step_record, stage_count),
    FLOWRT_STEP_PASSTHROUGH = offsetof(flowrt_step_record, passthrough),
    FLOWRT_STEP_LAYER_COUNT = offsetof(flowrt_step_record, layer_count),
    FLOWRT_STEP_TRANSFORMER = offsetof(flowrt_step_record, transformer),
    FLOWRT_STEP_FORM = offsetof(flowrt_step_record, form),
    FLOWRT_STEP_SCALE = offsetof(flowrt_step_record, scale),
    FLOWRT_STEP_BINS = offsetof(flowrt_step_record, bins),
    FLOWRT_STEP_COMPONENTS = offsetof(flowrt_step_record, components),
    FLOWRT_STEP_P = offsetof(flowrt_step_record, p),
    FLOWRT_STEP_RESERVED = offsetof(flowrt_step_record, reserved)
};
enum {
    FLOWRT_LAYER_ACTIVATION = offsetof(flowrt_layer_record, activation),
    FLOWRT_LAYER_WIDTH = offsetof(flowrt_layer_record, width),
    FLOWRT_LAYER_SOURCE = offsetof(flowrt_layer_record, source),
    FLOWRT_LAYER_CONTEXT = offsetof(flowrt_layer_record, context),
    FLOWRT_LAYER_GATE = offsetof(flowrt_layer_record, gate),
    FLOWRT_LAYER_ADD = offsetof(flowrt_layer_record, add),
    FLOWRT_LAYER_SCALED = offsetof(flowrt_layer_record, scaled),
    FLOWRT_LAYER_OPERATION = offsetof(flowrt_layer_record, operation),
    FLOWRT_LAYER_A = offsetof(flowrt_layer_record, a),
    FLOWRT_LAYER_PLANE = offsetof(flowrt_layer_record, plane),
    FLOWRT_LAYER_IN_CHANNELS = offsetof(flowrt_layer_record, in_channels),
    FLOWRT_LAYER_CHANNELS = offsetof(flowrt_layer_record, channels),
    FLOWRT_LAYER_KERNEL = offsetof(flowrt_layer_record, kernel),
    FLOWRT_LAYER_STRIDE = offsetof(flowrt_layer_record, stride),
    FLOWRT_LAYER_DILATION = offsetof(flowrt_layer_record, dilation),
    FLOWRT_LAYER_RESERVED = offsetof(flowrt_layer_record, reserved)
};
enum {
    FLOWRT_CONSTANT_LOG_DET = offsetof(flowrt_constant_record, log_det),
    FLOWRT_CONSTANT_RESERVED = offsetof(flowrt_constant_record, reserved)
};
enum {
    FLOWRT_PIXELWISE_RESERVED0 = offsetof(flowrt_pixelwise_record, reserved0),
    FLOWRT_PIXELWISE_CHANNELS = offsetof(flowrt_pixelwise_record, channels),
    FLOWRT_PIXELWISE_LOG_DET = offsetof(flowrt_pixelwise_record, log_det),
    FLOWRT_PIXELWISE_PIXELS = offsetof(flowrt_pixelwise_record, pixels),
    FLOWRT_PIXELWISE_RESERVED = offsetof(flowrt_pixelwise_record, reserved)
};

/* Required-feature bits of the header. */
enum { FLOWRT_FEATURE_PLANES = 1 };

/* The form of a spline, field by field (docs/FORMAT.md section 5.1). */
static inline uint16_t flowrt_spline_widths(uint16_t form) { return form & 3; }
static inline uint16_t flowrt_spline_derivatives(uint16_t form) { return (form >> 2) & 3; }
static inline uint16_t flowrt_spline_ends(uint16_t form) { return (form >> 4) & 3; }
static inline uint16_t flowrt_spline_turned(uint16_t form) { return (form >> 6) & 1; }
static inline uint16_t flowrt_spline_pieces(uint16_t form) { return form >> 7; }

/* What a spline needs for 16 values, besides their parameters: columns of 16 floats. */
#define FLOWRT_SPLINE_COLUMNS 15

_Static_assert(sizeof(flowrt_file_header) == 64 && sizeof(flowrt_step_record) == 64, "64-byte records");
_Static_assert(sizeof(flowrt_layer_record) == 64 && sizeof(flowrt_constant_record) == 64, "64-byte records");
_Static_assert(sizeof(flowrt_pixelwise_record) == 64, "64-byte records");

#endif
