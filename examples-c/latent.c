/* latent: the posterior of a variational autoencoder, z ~ q(z | observation) with its log q.
 *
 *   cc latent.c -lflowrt -lm -o latent
 *   ./latent model.flw observations.csv              1000 draws for each row of the file
 *   ./latent model.flw observations.csv 5000 7       5000 draws with seed 7
 *
 * The model is a gated inverse autoregressive flow with its encoder (Kingma et al. 2016, Algorithm 1): the observation is
 * the context; the encoder makes of it a normal and the features h that every step sees. A draw costs one pass, and
 * comes with log q, which the evidence lower bound and importance sampling need:
 *
 *   log p(observation) ~ log mean_k exp(log p(observation | z_k) + log p(z_k) - log q(z_k | observation))
 *
 * For each observation: mean and standard deviation of every latent coordinate, and the entropy of q, -mean log q. */
#include "example.h"

struct draws {
    size_t count, dim;
    float *z, *log_q, *density;
};

static void print_summary(const struct draws *draws)
{
    double sum_log_q = 0;
    for (size_t i = 0; i < draws->count; i++)
        sum_log_q += draws->log_q[i];
    for (size_t j = 0; j < draws->dim; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < draws->count; i++)
            sum += draws->z[i * draws->dim + j];
        const double mean = sum / (double)draws->count;
        for (size_t i = 0; i < draws->count; i++) {
            const double difference = draws->z[i * draws->dim + j] - mean;
            squares += difference * difference;
        }
        const double spread = draws->count > 1 ? sqrt(squares / (double)(draws->count - 1)) : 0.0;
        printf("%8.3f +- %5.3f", mean, spread);
    }
    printf("%12.3f\n", -sum_log_q / (double)draws->count);
}

/* The other direction: the density of given z, which the flow has to undo, is the log q that came with the draw. */
static double largest_difference(const struct draws *draws)
{
    double largest = 0;
    for (size_t i = 0; i < draws->count; i++) {
        const double difference = fabs((double)draws->density[i] - (double)draws->log_q[i]);
        if (difference > largest)
            largest = difference;
    }
    return largest;
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        fail("usage: latent MODEL.flw OBSERVATIONS.csv [DRAWS [SEED]]");
    flowrt_file flow = model_open(argv[1]);
    const size_t context_dim = flow.info.context_dim;
    if (context_dim == 0)
        fail("%s: the model takes no observation; sample.c draws from such a model", argv[1]);
    struct draws draws = {.count = argc > 3 ? count_of(argv[3], "DRAWS") : 1000, .dim = flow.info.dim};
    if (draws.count == 0 || draws.count > SIZE_MAX / sizeof(float) / draws.dim)
        fail("DRAWS: '%s' is zero, or more than memory holds", argv[3]);
    flowrt_rng rng = {.seed = argc > 4 ? whole_number(argv[4], "SEED") : 0, .stream = 0, .index = 0};
    float *observation = new_floats(context_dim);
    draws.z = new_floats(draws.count * draws.dim);
    draws.log_q = new_floats(draws.count);
    draws.density = new_floats(draws.count);
    struct csv csv = csv_open(argv[2]);
    double difference = 0;

    for (size_t j = 0; j < draws.dim; j++)
        printf("%15s%lu", "z", (unsigned long)j + 1);
    printf("%12s\n", "entropy");
    while (csv_row(&csv, context_dim, observation)) {
        /* All draws of a row share its observation: the encoder runs once. */
        if (check(flowrt_sample(&flow.model, draws.count, &rng, observation, 1, draws.z, draws.log_q, flow.workspace,
                                flow.workspace_size)) |
            check(flowrt_log_prob(&flow.model, draws.count, draws.z, observation, 1, draws.density, flow.workspace,
                                  flow.workspace_size)))
            fail("%s:%lu: a draw is not finite", csv.name, csv.line);
        print_summary(&draws);
        difference = fmax(difference, largest_difference(&draws));
    }
    printf("largest difference of log q from the density of the same z: %.1e\n", difference);

    csv_close(&csv);
    free(draws.density);
    free(draws.log_q);
    free(draws.z);
    free(observation);
    flowrt_file_close(&flow);
    return written();
}
