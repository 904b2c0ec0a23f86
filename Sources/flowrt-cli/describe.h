/* A model file in words and as JSON. */
#ifndef FLOWRT_CLI_DESCRIBE_H
#define FLOWRT_CLI_DESCRIBE_H

#include "model.h"

/* Writes to the output: sizes, steps, base, metadata. The lines are those of `python -m flowrt info`. */
void describe(const model *flow);

/* The same as one JSON object. */
void describe_json(const model *flow);

#endif
