/* The functions of flowrt.h, without their work. Compiled with debug information into a shared library, they describe
 * the binary interface to tools that compare interfaces. A declaration that changes without this file does not compile.
 */
#include <flowrt.h>

uint32_t flowrt_version_number(void) { return 0; }

const char *flowrt_version_string(void) { return ""; }

const char *flowrt_build_info(void) { return ""; }

const char *flowrt_status_message(flowrt_status status) {
    (void)status;
    return "";
}

flowrt_status flowrt_model_open(flowrt_model *model, const void *data, size_t size, uint32_t flags,
                                flowrt_error_detail *detail) {
    (void)model, (void)data, (void)size, (void)flags, (void)detail;
    return FLOWRT_ERR_MODEL;
}

flowrt_status flowrt_model_get_info(const flowrt_model *model, flowrt_model_info *info) {
    (void)model, (void)info;
    return FLOWRT_ERR_MODEL;
}

size_t flowrt_workspace_size(const flowrt_model *model, size_t count) {
    (void)model, (void)count;
    return 0;
}

flowrt_status flowrt_forward(const flowrt_model *model, size_t count, const float *x, const float *context,
                             size_t context_rows, float *z, float *log_det, void *workspace, size_t workspace_size) {
    (void)model, (void)count, (void)x, (void)context, (void)context_rows, (void)z, (void)log_det, (void)workspace,
        (void)workspace_size;
    return FLOWRT_ERR_MODEL;
}

flowrt_status flowrt_inverse(const flowrt_model *model, size_t count, const float *z, const float *context,
                             size_t context_rows, float *x, float *log_det, void *workspace, size_t workspace_size) {
    (void)model, (void)count, (void)z, (void)context, (void)context_rows, (void)x, (void)log_det, (void)workspace,
        (void)workspace_size;
    return FLOWRT_ERR_MODEL;
}

flowrt_status flowrt_log_prob(const flowrt_model *model, size_t count, const float *x, const float *context,
                              size_t context_rows, float *log_prob, void *workspace, size_t workspace_size) {
    (void)model, (void)count, (void)x, (void)context, (void)context_rows, (void)log_prob, (void)workspace,
        (void)workspace_size;
    return FLOWRT_ERR_MODEL;
}

flowrt_status flowrt_sample(const flowrt_model *model, size_t count, flowrt_rng *rng, const float *context,
                            size_t context_rows, float *x, float *log_prob, void *workspace, size_t workspace_size) {
    (void)model, (void)count, (void)rng, (void)context, (void)context_rows, (void)x, (void)log_prob, (void)workspace,
        (void)workspace_size;
    return FLOWRT_ERR_MODEL;
}
