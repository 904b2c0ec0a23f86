#include "model.h"

#include "failure.h"
#include "source.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The place where a file is wrong, and the two numbers if they tell it. */
static void explain(const char *path, flowrt_status status, const flowrt_error_detail *detail, char *reason) {
    char place[48], numbers[96] = "";
    if (detail->record < 0)
        strcpy(place, "the header");
    else
        snprintf(place, sizeof place, "record %d", (int)detail->record);
    if (detail->found != detail->expected) {
        int length = snprintf(numbers, sizeof numbers, ": found %" PRIu64, detail->found);
        if (detail->expected)
            snprintf(numbers + length, sizeof numbers - (size_t)length, ", expected %" PRIu64, detail->expected);
    }
    snprintf(reason, MODEL_REASON, "%s: %s (in %s, byte %" PRIu64 "%s)", path, flowrt_status_message(status), place,
             detail->offset, numbers);
}

/* `count` different names under a key of the metadata, or none. */
static names read_names(json metadata, const char *key, size_t count) {
    names list = json_names(json_member(metadata, key));
    if (list.count != count || names_repeated(&list) != SIZE_MAX) names_free(&list);
    return list;
}

bool model_open(model *flow, const char *path, char *reason) {
    char text[MODEL_REASON];
    *flow = (model){.path = strcmp(path, "-") == 0 ? "standard input" : path, .info = FLOWRT_MODEL_INFO_INIT};
    flow->data = read_whole(path, &flow->size);
    flowrt_error_detail detail = {0};
    flowrt_status status = flowrt_model_open(&flow->view, flow->data, flow->size, FLOWRT_OPEN_VERIFY, &detail);
    if (status != FLOWRT_OK) {
        explain(flow->path, status, &detail, reason ? reason : text);
        model_close(flow);
        if (reason) return false;
        fail("%s", text);
    }
    flowrt_model_get_info(&flow->view, &flow->info);
    flow->metadata =
        json_parse((const char *)flow->data + flow->info.metadata_offset, (size_t)flow->info.metadata_size);
    if (flow->metadata.begin && *flow->metadata.begin != '{') flow->metadata = (json){NULL, NULL};
    flow->features = read_names(flow->metadata, "names", flow->info.dim);
    flow->context_names = read_names(flow->metadata, "context_names", flow->info.context_dim);
    return true;
}

void model_close(model *flow) {
    names_free(&flow->features);
    names_free(&flow->context_names);
    free(flow->data);
    flow->data = NULL;
}
