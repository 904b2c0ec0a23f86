/* For WorkspaceRule.sh: writes every flow of the tests to DIRECTORY/NUMBER.flw, and prints for each, and for the FILEs, its path,
 * what flowrt_workspace_size and flowrt_gradient_workspace_size say for 1 row and for SIZE_MAX, and flowrt_plan_size.
 *   WorkspaceRule DIRECTORY FILE... */
#include "support/check.h"
#include "support/flow.h"
#include <stdio.h>

static void print(const char *path, flow_file file) {
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_DEFAULT, NULL));
    printf("%s %zu %zu %zu %zu %zu\n", path, flowrt_workspace_size(&model, 1), flowrt_workspace_size(&model, SIZE_MAX),
           flowrt_gradient_workspace_size(&model, 1), flowrt_gradient_workspace_size(&model, SIZE_MAX),
           flowrt_plan_size(&model));
}

int main(int argc, char **argv) {
    CHECK(argc > 2, "usage: WorkspaceRule DIRECTORY FILE...");
    for (size_t i = 0; i < flow_case_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%zu.flw", argv[1], i);
        const flow_file file = flow_build(&flow_cases[i], i);
        FILE *output = fopen(path, "wb");
        CHECK(output != NULL && fwrite(file.bytes, 1, file.size, output) == file.size, "cannot write %s", path);
        fclose(output);
        print(path, file);
        flow_free(file);
    }
    for (int i = 2; i < argc; i++) {
        FILE *input = fopen(argv[i], "rb");
        CHECK(input != NULL, "cannot read %s", argv[i]);
        fseek(input, 0, SEEK_END);
        flow_file file = {.size = (size_t)ftell(input)};
        rewind(input);
        file.bytes = must_allocate(file.size);
        CHECK(fread(file.bytes, 1, file.size, input) == file.size, "cannot read %s", argv[i]);
        fclose(input);
        print(argv[i], file);
        flow_free(file);
    }
}
