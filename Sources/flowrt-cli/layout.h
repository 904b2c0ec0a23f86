/* Where the records and blocks of an open model lie (docs/FORMAT.md, sections 1 to 4). */
#ifndef FLOWRT_CLI_LAYOUT_H
#define FLOWRT_CLI_LAYOUT_H

#include "model.h"

#include <flowrt_format.h>

/* Kinds of records. */
enum {
    KIND_AUTOREGRESSIVE = 1,
    KIND_LAYER,
    KIND_DIAGONAL,
    KIND_LINEAR,
    KIND_ELEMENTWISE,
    KIND_PERMUTATION,
    KIND_ENCODER,
    KIND_BASE,
    KIND_PIXELWISE_LINEAR
};

/* Operations of a layer. */
enum { DENSE, CONVOLUTION, DEPTHWISE_CONVOLUTION, MAX_POOLING, GATHER };

enum { MOST_LAYERS = 128 };

/* A record that is not a layer, with its layers and with its first blocks. */
typedef struct part {
    flowrt_step_record step;         /* of every kind: the fields that a kind does not have are zero */
    flowrt_constant_record constant; /* the same bytes */
    flowrt_pixelwise_record pixelwise;
    size_t layer_count;
    flowrt_layer_record layers[MOST_LAYERS];
    const uint32_t *indices[2]; /* data and noise index of an autoregressive step; index; functions of coordinates */
} part;

typedef struct layout {
    const model *flow;
    size_t record;  /* the next one */
    size_t block;   /* byte offset of the next block */
    size_t context; /* floats of context that steps see */
} layout;

layout layout_begin(const model *flow);

/* The next record and its layers; false behind the base. */
bool layout_next(layout *at, part *found);

#endif
