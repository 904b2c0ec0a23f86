/* Blocks through threads, in order: one thread reads and writes, the others evaluate.
 *
 *     blocks in a ring      written <= taken <= filled
 *     [ done | done | running | running | filled | free | free ]
 *       ^ written             ^ taken            ^ filled
 */
#ifndef FLOWRT_CLI_PIPELINE_H
#define FLOWRT_CLI_PIPELINE_H

#include "block.h"

/* Fills a block: its first, count, input, context. False if there is nothing left. *pause: what is read next may have
 * to be waited for, so everything before is written first. */
typedef bool fill_block(void *source, block *rows, bool *pause);
/* Takes a block that was run, in the order in which they were filled. `flush`: nothing follows for a while. */
typedef void drain_block(void *source, block *rows, bool flush);

/* Runs all blocks with up to `threads` threads. The bytes do not depend on their number. */
void pipeline_run(const job *work, bool own_context, size_t threads, fill_block *fill, drain_block *drain,
                  void *source);

#endif
