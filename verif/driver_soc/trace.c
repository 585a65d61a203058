// Sends the records of a run to the test as words, after it has met the errors of bring-up. A
// negative exit code is the line of the first unexpected result.
#include "job.h"
#include "platform.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return -__LINE__;                                                                      \
    } while (0)
#define NO_CORE_HERE 0x1f000u // memory
#define PATIENCE 1000000u
#define ENABLE(name) OHMCARLO__INTERRUPT__ENABLE__##name##_bm

static uint32_t buffer[JOB_RECORD_WORDS];
static uint32_t means[OHMCARLO_MAX_POINTS];
static uint32_t naps;
static struct ohmcarlo core = {
    .base = CORE_BASE,
    .buffer = buffer,
    .buffer_words = JOB_RECORD_WORDS,
    .patience = PATIENCE,
};

static void nap(void *context)
{
    sleep_until_interrupt();
    naps++;
    (void)ohmcarlo_acknowledge(context);
}

static void send_wide(int64_t number)
{
    CONSOLE_WORD = (uint32_t)number;
    CONSOLE_WORD = (uint32_t)((uint64_t)number >> 32);
}

static bool send(void *context, const struct ohmcarlo_record *record)
{
    (void)context;
    CONSOLE_WORD = (uint32_t)record->kind;
    if (record->kind == OHMCARLO_STEP) {
        const struct ohmcarlo_step *const step = &record->as.step;
        CONSOLE_WORD = (uint32_t)step->accepted | (uint32_t)step->valid << 1 | step->region << 2;
        CONSOLE_WORD = step->points;
        send_wide(step->log_posterior);
    } else if (record->kind == OHMCARLO_SAMPLE) {
        const struct ohmcarlo_sample *const sample = &record->as.sample;
        CONSOLE_WORD = (uint32_t)sample->current | sample->region << 1;
        CONSOLE_WORD = sample->multiplicity;
        send_wide(sample->log_posterior);
        CONSOLE_WORD = sample->pair_count;
        for (uint32_t i = 0; i < sample->pair_count; i++)
            CONSOLE_WORD = sample->pairs[i];
    }
    return true;
}

static void send_means(uint32_t points)
{
    CONSOLE_WORD = 0; // the kind of no record
    CONSOLE_WORD = ohmcarlo_samples(&core);
    for (uint32_t i = 0; i < points; i++)
        CONSOLE_WORD = means[i];
}

static bool stop_at_once(void *context, const struct ohmcarlo_record *record)
{
    (void)context;
    (void)record;
    return false;
}

static int begin(void)
{
    EXPECT(ohmcarlo_load(&core, &job) == OHMCARLO_OK);
    EXPECT(ohmcarlo_start(&core) == OHMCARLO_OK);
    return 0;
}

// Wrong address, calls out of order, time-out, emergency stop, a run that its sink ends
static int bring_up(void)
{
    struct ohmcarlo_record record;
    bool taken = false;
    enum ohmcarlo_error error = OHMCARLO_BUSY;
    core.base = NO_CORE_HERE;
    EXPECT(ohmcarlo_open(&core) == OHMCARLO_NO_CORE);
    core.base = CORE_BASE;
    EXPECT(ohmcarlo_open(&core) == OHMCARLO_OK);
    EXPECT(ohmcarlo_start(&core) == OHMCARLO_NOT_LOADED);
    EXPECT(ohmcarlo_load(&core, &job) == OHMCARLO_OK);
    EXPECT(ohmcarlo_run(&core, 1u, NULL, NULL) == OHMCARLO_NOT_STARTED);
    core.patience = 1u;
    EXPECT(ohmcarlo_start(&core) == OHMCARLO_TIMEOUT);
    core.patience = PATIENCE;
    EXPECT(begin() == 0);
    EXPECT(ohmcarlo_begin_run(&core, JOB_STEPS) == OHMCARLO_OK);
    EXPECT(ohmcarlo_begin_run(&core, JOB_STEPS) == OHMCARLO_BUSY);
    for (uint32_t records = 0; records < 3u; records += taken ? 1u : 0u)
        EXPECT(ohmcarlo_poll(&core, &record, &taken) == OHMCARLO_BUSY);
    ohmcarlo_off(&core);
    while (error == OHMCARLO_BUSY)
        error = ohmcarlo_poll(&core, &record, &taken);
    EXPECT(error == OHMCARLO_FAULT);
    EXPECT(ohmcarlo_fault_cause(&core) == OHMCARLO__STATUS__STATE__FAULT_CAUSE__OFF_e);
    EXPECT(ohmcarlo_run(&core, 1u, NULL, NULL) == OHMCARLO_FAULT);
    EXPECT(begin() == 0);
    EXPECT(ohmcarlo_run(&core, JOB_STEPS, stop_at_once, NULL) == OHMCARLO_STOPPED);
    EXPECT(ohmcarlo_run(&core, 1u, NULL, NULL) == OHMCARLO_OK);
    return 0;
}

int program(void)
{
    const int failed = bring_up();
    if (failed != 0)
        return failed;
    EXPECT(begin() == 0);
    core.pause = nap;
    core.pause_context = &core;
    ohmcarlo_enable_interrupts(&core, ENABLE(RUN_ENDED) | ENABLE(RECORD_WAITING) | ENABLE(FAULT),
                               8u);
    EXPECT(ohmcarlo_run(&core, JOB_STEPS, send, NULL) == OHMCARLO_OK);
    EXPECT(naps > 0);
    EXPECT(ohmcarlo_flush(&core, send, NULL) == OHMCARLO_OK);
    EXPECT(ohmcarlo_predict(&core, job_test_words, JOB_TEST_POINTS, means) == OHMCARLO_OK);
    send_means(JOB_TEST_POINTS);
    EXPECT(ohmcarlo_predict(&core, NULL, job.points, means) == OHMCARLO_OK);
    send_means(job.points);
    return 0;
}
