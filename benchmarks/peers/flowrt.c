/* flowrt, measured: flowrt FOLDER. FLOWRT_BENCH_LEVEL in the environment caps the kernel level. */
#define _GNU_SOURCE
#include "worker.h"
#include <fcntl.h>
#include <flowrt.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static flowrt_model model;
static flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
static void *workspace, *gradient_workspace, *plan;
static size_t workspace_size, gradient_workspace_size;
static flowrt_rng rng = {1, 0, 0};

static const char *peer_name(void) { return flowrt_build_info(); }

static void check(flowrt_status status) {
    if (status != FLOWRT_OK) give_up("flowrt", flowrt_status_message(status));
}

static size_t peer_open(const char *folder, const char *flow) {
    static void *bytes;
    static struct stat stat;
    char path[512];
    if (bytes) munmap(bytes, (size_t)stat.st_size);
    free(workspace);
    free(gradient_workspace);
    free(plan);
    snprintf(path, sizeof path, "%s/%s.flw", folder, flow);
    const int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &stat) != 0) give_up("cannot be read", path);
    bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) give_up("cannot be mapped", path);
    close(file);
    const char *level = getenv("FLOWRT_BENCH_LEVEL");
    check(flowrt_model_open(&model, bytes, (size_t)stat.st_size, FLOWRT_OPEN_LEVEL(level ? atoi(level) : 0), NULL));
    check(flowrt_model_get_info(&model, &info));
    workspace_size = flowrt_workspace_size(&model, SIZE_MAX);
    workspace = aligned_alloc(64, workspace_size / 64 * 64 + 64);
    gradient_workspace_size = flowrt_gradient_workspace_size(&model, SIZE_MAX);
    gradient_workspace = aligned_alloc(64, gradient_workspace_size / 64 * 64 + 64);
    plan = aligned_alloc(64, flowrt_plan_size(&model));
    check(flowrt_model_prepare(&model, plan, flowrt_plan_size(&model)));
    return info.dim;
}

static void peer_run(verb verb, size_t count, const float *rows, float *out) {
    static float context[64], log_p[65536];
    for (size_t i = 0; i < info.context_dim; i++) context[i] = 0.5f;
    const float *c = info.context_dim ? context : NULL;
    const size_t n = info.context_dim ? 1 : 0; /* one context, shared by all rows */
    switch (verb) {
    case LOG_PROB: check(flowrt_log_prob(&model, count, rows, c, n, out, workspace, workspace_size)); break;
    case GRADIENT:
        check(flowrt_log_prob_gradient(&model, count, rows, c, n, log_p, out, NULL, gradient_workspace,
                                       gradient_workspace_size));
        break;
    case INVERSE: check(flowrt_inverse(&model, count, rows, c, n, out, NULL, workspace, workspace_size)); break;
    case SAMPLE: check(flowrt_sample(&model, count, &rng, c, n, out, log_p, workspace, workspace_size)); break;
    }
}

int main(int argc, char **argv) { return worker_main(argc, argv); }
