#ifndef FUZZ_MUTATOR_H
#define FUZZ_MUTATOR_H

#include "support/flow.h"

/* Another file in the place of the one in data[0 .. size), at most max_size bytes; returns its size. */
size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t seed);

#endif
