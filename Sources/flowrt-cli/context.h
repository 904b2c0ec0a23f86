/* The option --context. */
#ifndef FLOWRT_CLI_CONTEXT_H
#define FLOWRT_CLI_CONTEXT_H

#include "model.h"
#include "options.h"
#include "rows.h"

/* The contexts of a flow: a file, standard input, or one row of numbers such as "0.5,-1" or "0.5 -1". NULL for a flow
 * without contexts, and if the option is missing but not needed. What does not go with the flow is a wrong command
 * line. */
rows *context_open(const arguments *given, const model *flow, bool needed);

#endif
