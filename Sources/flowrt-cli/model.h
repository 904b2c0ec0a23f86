/* A model file in memory, with the names that its metadata gives. */
#ifndef FLOWRT_CLI_MODEL_H
#define FLOWRT_CLI_MODEL_H

#include "json.h"

#include <flowrt.h>

typedef struct model {
    const char *path; /* for messages */
    unsigned char *data;
    size_t size;
    flowrt_model view;
    flowrt_model_info info;
    json metadata;                 /* the object, {NULL} if there is none */
    names features, context_names; /* dim and context_dim different names, or none */
} model;

/* Reads and opens a file ("-": standard input) and checks every byte. If that fails, the message is written to `reason`
 * unless it is NULL, and false is returned; with NULL the program ends with it. */
enum { MODEL_REASON = 512 };
bool model_open(model *flow, const char *path, char *reason);
void model_close(model *flow);

#endif
