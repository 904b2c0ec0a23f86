#include "pipeline.h"

#include "failure.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct slot {
    block rows;
    bool made, done;
} slot;

typedef struct pipeline {
    const job *work;
    size_t slots;
    slot *ring;
    size_t filled, taken, written; /* counts of blocks since the start */
    bool closing;
    pthread_mutex_t lock;
    pthread_cond_t can_take, is_done;
} pipeline;

static void *work_on_blocks(void *argument) {
    pipeline *line = argument;
    pthread_mutex_lock(&line->lock);
    for (;;) {
        while (line->taken == line->filled && !line->closing) pthread_cond_wait(&line->can_take, &line->lock);
        if (line->taken == line->filled) break;
        slot *next = &line->ring[line->taken++ % line->slots];
        pthread_mutex_unlock(&line->lock);
        block_run(line->work, &next->rows);
        pthread_mutex_lock(&line->lock);
        next->done = true;
        pthread_cond_signal(&line->is_done);
    }
    pthread_mutex_unlock(&line->lock);
    return NULL;
}

/* Hands the block that was filled to the threads, or runs it here if there are none. */
static void hand_over(pipeline *line, bool has_threads) {
    slot *next = &line->ring[line->filled % line->slots];
    if (!has_threads) block_run(line->work, &next->rows);
    pthread_mutex_lock(&line->lock);
    next->done = !has_threads;
    line->taken += !has_threads;
    line->filled++;
    pthread_cond_signal(&line->can_take);
    pthread_mutex_unlock(&line->lock);
}

/* Drains the oldest block, when it is done. */
static void drain_oldest(pipeline *line, drain_block *drain, void *source, bool flush) {
    slot *oldest = &line->ring[line->written % line->slots];
    pthread_mutex_lock(&line->lock);
    while (!oldest->done) pthread_cond_wait(&line->is_done, &line->lock);
    pthread_mutex_unlock(&line->lock);
    drain(source, &oldest->rows, flush && line->written + 1 == line->filled);
    line->written++;
}

/* As many threads as can be had. */
static size_t start(pipeline *line, pthread_t *threads, size_t wanted) {
    size_t count = 0;
    while (count < wanted && pthread_create(&threads[count], NULL, work_on_blocks, line) == 0) count++;
    return count;
}

void pipeline_run(const job *work, bool own_context, size_t threads, fill_block *fill, drain_block *drain,
                  void *source) {
    pipeline line = {.work = work,
                     .slots = threads > 1 ? threads + 2 : 1,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .can_take = PTHREAD_COND_INITIALIZER,
                     .is_done = PTHREAD_COND_INITIALIZER};
    line.ring = allocate(line.slots, sizeof *line.ring);
    for (size_t i = 0; i < line.slots; i++) line.ring[i] = (slot){.made = false};
    pthread_t *workers = allocate(threads, sizeof *workers);
    size_t started = 0;
    bool more = true;
    while (more) {
        if (line.filled - line.written == line.slots) drain_oldest(&line, drain, source, false);
        slot *next = &line.ring[line.filled % line.slots];
        if (!next->made) next->rows = block_make(work, own_context);
        next->made = true;
        bool pause = false;
        more = fill(source, &next->rows, &pause);
        if (more && line.filled == 1 && threads > 1)
            started = start(&line, workers, threads); /* worth it from 2 blocks on */
        if (more) hand_over(&line, started > 0);
        while ((pause || !more) && line.written < line.filled) drain_oldest(&line, drain, source, true);
    }
    pthread_mutex_lock(&line.lock);
    line.closing = true;
    pthread_cond_broadcast(&line.can_take);
    pthread_mutex_unlock(&line.lock);
    for (size_t i = 0; i < started; i++) pthread_join(workers[i], NULL);
    for (size_t i = 0; i < line.slots; i++)
        if (line.ring[i].made) block_free(&line.ring[i].rows);
    free(line.ring);
    free(workers);
}
