/* embedded: a model inside the program, for machines without files and without a heap.
 *
 *   flowrt c-array models/iris_maf.flw --name iris_maf -o iris_maf.h
 *   cc embedded.c -lflowrt -o embedded
 *   ./embedded
 *
 * The model's bytes are constant data and stay in flash. The header tells at compile time how much memory calls need;
 * here it is in static arrays, so the linker's map shows all the memory that the model will ever use. printf stands
 * for whatever the device does with the numbers. */
#include "iris_maf.h"

#include <flowrt.h>
#include <stdio.h>

IRIS_MAF_ALIGNED static unsigned char workspace[IRIS_MAF_WORKSPACE_BYTES];
IRIS_MAF_ALIGNED static unsigned char plan[IRIS_MAF_PLAN_BYTES];

/* Sepal length, sepal width, petal length, petal width, in cm. */
static const float flowers[][IRIS_MAF_DIM] = {
    {5.1f, 3.5f, 1.4f, 0.2f}, /* Iris setosa */
    {6.3f, 3.3f, 6.0f, 2.5f}, /* Iris virginica */
    {5.1f, 3.5f, 6.0f, 0.2f}, /* the petals of the one in the length of the other: no such flower */
};
enum { FLOWERS = sizeof flowers / sizeof flowers[0] };

static int failed(const char *what, flowrt_status status)
{
    if (status != FLOWRT_OK)
        fprintf(stderr, "error: %s: %s\n", what, flowrt_status_message(status));
    return status != FLOWRT_OK;
}

int main(void)
{
    flowrt_model model;
    if (failed("open", flowrt_model_open(&model, iris_maf, IRIS_MAF_SIZE, FLOWRT_OPEN_DEFAULT, NULL)))
        return 1;

    /* Optional: made once, so that each call of a few rows is faster. */
    if (failed("prepare", flowrt_model_prepare(&model, plan, sizeof plan)))
        return 1;

    float log_p[FLOWERS];
    if (failed("log_prob", flowrt_log_prob(&model, FLOWERS, flowers[0], NULL, 0, log_p, workspace, sizeof workspace)))
        return 1;
    for (int i = 0; i < FLOWERS; i++)
        printf("log p(%.1f, %.1f, %.1f, %.1f) = %.9g\n", flowers[i][0], flowers[i][1], flowers[i][2], flowers[i][3],
               log_p[i]);

    /* rng is all the state there is: three numbers, which may be written down and continued from later. */
    flowrt_rng rng = {.seed = 1, .stream = 0, .index = 0};
    float x[IRIS_MAF_DIM];
    if (failed("sample", flowrt_sample(&model, 1, &rng, NULL, 0, x, NULL, workspace, sizeof workspace)))
        return 1;
    printf("a new flower: %.2f, %.2f, %.2f, %.2f\n", x[0], x[1], x[2], x[3]);
    printf("constant data: %u bytes, workspace: %u bytes, plan: %u bytes\n", IRIS_MAF_SIZE,
           IRIS_MAF_WORKSPACE_BYTES, IRIS_MAF_PLAN_BYTES);
    return 0;
}
