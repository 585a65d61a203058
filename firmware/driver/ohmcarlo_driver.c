#include "ohmcarlo_driver.h"

#define WORD_BYTES 4u
#define WORD_BITS 32u
#define REGION_WORDS                                                                               \
    ((uint32_t)(OHMCARLO__STATE_REGIONS_words) / (uint32_t)(OHMCARLO__ID__MAX_REGIONS__VALUE_reset))
#define COMMAND(name) ((uint32_t)(OHMCARLO__CONTROL__COMMAND__##name##_bm))
#define STATE(name) ((uint32_t)(OHMCARLO__STATUS__STATE__##name##_bm))
#define CAUSE(name) ((uint32_t)(OHMCARLO__INTERRUPT__CAUSE__##name##_bm))
#define READ(core, name) read_word(core, OHMCARLO__##name##_addr)
#define WRITE(core, name, value) write_word(core, OHMCARLO__##name##_addr, value)

static uint32_t read_word(const struct ohmcarlo *core, uint32_t address)
{
    return ohmcarlo_read32(core->base + address);
}

static void write_word(const struct ohmcarlo *core, uint32_t address, uint32_t value)
{
    ohmcarlo_write32(core->base + address, value);
}

static void write_words(const struct ohmcarlo *core, uint32_t address, const uint32_t *words,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        write_word(core, address + i * WORD_BYTES, words[i]);
}

static void command(const struct ohmcarlo *core, uint32_t strobe)
{
    WRITE(core, CONTROL__COMMAND, strobe);
}

static uint32_t state(const struct ohmcarlo *core)
{
    return READ(core, STATUS__STATE);
}

static bool busy(const struct ohmcarlo *core)
{
    return (state(core) & STATE(BUSY)) != 0;
}

const char *ohmcarlo_error_name(enum ohmcarlo_error error)
{
    static const char *const NAMES[] = {
        "OK",         "NO_CORE",         "OTHER_MAP", "OTHER_IMAGE", "BUSY",
        "NOT_LOADED", "NOT_STARTED",     "STARTED",   "NOT_WRITTEN", "TIMEOUT",
        "FAULT",      "ALARM",           "NO_ROWS",   "EXHAUSTED",   "SMALL_BUFFER",
        "BAD_RECORD", "TOO_MANY_POINTS", "STOPPED",
    };
    const size_t number = (size_t)error;
    return number < sizeof NAMES / sizeof NAMES[0] ? NAMES[number] : "UNKNOWN";
}

// -- waiting -------------------------------------------------------------------------------------
// Polls that are left until the next sign of progress
struct patience {
    uint32_t left;
};

static struct patience full_patience(const struct ohmcarlo *core)
{
    return (struct patience){core->patience};
}

// False: nothing has happened for too long
static bool polls_left(const struct ohmcarlo *core, struct patience *patience)
{
    if (core->patience == 0)
        return true;
    if (patience->left == 0)
        return false;
    patience->left--;
    return true;
}

// -- the ring of records -------------------------------------------------------------------------
static uint32_t received(const struct ohmcarlo *core)
{
    return READ(core, RECORDS__RECEIVED);
}

static void note_taken(struct ohmcarlo *core, uint32_t taken)
{
    core->taken = taken;
    WRITE(core, RECORDS__TAKEN, taken);
}

// Returns whether there were any
static bool drop_records(struct ohmcarlo *core)
{
    const uint32_t before = core->taken;
    note_taken(core, received(core));
    core->filled = 0;
    return core->taken != before;
}

// The ring is empty: record_waiting may raise the line again
static void rearm(const struct ohmcarlo *core)
{
    if ((core->enabled & CAUSE(RECORD_WAITING)) != 0)
        WRITE(core, INTERRUPT__ENABLE, core->enabled);
}

// Words of a record that begins with `first`; 0: of an unknown kind
static uint32_t record_length(uint32_t first)
{
    switch (first >> OHMCARLO_RECORD_KIND_SHIFT) {
    case OHMCARLO_RECORD_STEP:
        return (first >> OHMCARLO_STEP_ACCEPTED_SHIFT & 1u) != 0 ? 1u + OHMCARLO_ACCEPTED_WORDS
                                                                 : 1u;
    case OHMCARLO_RECORD_SAMPLE:
        return 1u + (first & OHMCARLO_SAMPLE_WORDS_MASK);
    case OHMCARLO_RECORD_PREDICTION:
        return 1u + OHMCARLO_PREDICTION_WORDS;
    default:
        return 0;
    }
}

static enum ohmcarlo_error check_length(const struct ohmcarlo *core, uint32_t first)
{
    const uint32_t length = record_length(first);
    const bool sample = first >> OHMCARLO_RECORD_KIND_SHIFT == OHMCARLO_RECORD_SAMPLE;
    if (length == 0 || (sample && length < 1u + OHMCARLO_SAMPLE_HEADER_WORDS))
        return OHMCARLO_BAD_RECORD;
    return length > core->buffer_words ? OHMCARLO_SMALL_BUFFER : OHMCARLO_OK;
}

static uint32_t ring_word(const struct ohmcarlo *core, uint32_t number)
{
    const uint32_t place = number % (uint32_t)(OHMCARLO__RECORDS_RING_words);
    return read_word(core, OHMCARLO__RECORDS_RING_addr + place * WORD_BYTES);
}

// Move words into the buffer until a record is complete or the ring is empty
static enum ohmcarlo_error fill(struct ohmcarlo *core, bool *complete)
{
    const uint32_t end = received(core);
    uint32_t taken = core->taken;
    enum ohmcarlo_error error = OHMCARLO_OK;
    *complete = false;
    while (taken != end && !*complete && error == OHMCARLO_OK) {
        const uint32_t word = ring_word(core, taken++);
        const uint32_t first = core->filled == 0 ? word : core->buffer[0];
        error = check_length(core, first);
        if (error == OHMCARLO_OK)
            core->buffer[core->filled++] = word;
        *complete = core->filled == record_length(first);
    }
    if (taken != core->taken)
        note_taken(core, taken);
    return error;
}

static int64_t log_posterior(const uint32_t *words)
{
    return (int64_t)(int32_t)words[0] + (int32_t)words[1];
}

static uint64_t wide(const uint32_t *words)
{
    return (uint64_t)words[1] << WORD_BITS | words[0];
}

static struct ohmcarlo_step decoded_step(const uint32_t *words)
{
    const bool accepted = (words[0] >> OHMCARLO_STEP_ACCEPTED_SHIFT & 1u) != 0;
    return (struct ohmcarlo_step){
        .accepted = accepted,
        .valid = (words[0] >> OHMCARLO_STEP_VALID_SHIFT & 1u) != 0,
        .region = words[0] >> OHMCARLO_STEP_REGION_SHIFT & OHMCARLO_STEP_REGION_MASK,
        .points = words[0] & OHMCARLO_STEP_POINTS_MASK,
        .log_posterior = accepted ? log_posterior(words + 1) : 0,
    };
}

static struct ohmcarlo_sample decoded_sample(const uint32_t *words)
{
    return (struct ohmcarlo_sample){
        .current = (words[1] >> OHMCARLO_SAMPLE_CURRENT_BIT & 1u) != 0,
        .region = words[1] & OHMCARLO_SAMPLE_REGION_MASK,
        .multiplicity = words[2],
        .log_posterior = log_posterior(words + 3),
        .pairs = words + 1 + OHMCARLO_SAMPLE_HEADER_WORDS,
        .pair_count = record_length(words[0]) - 1u - OHMCARLO_SAMPLE_HEADER_WORDS,
    };
}

static void decode(const uint32_t *words, struct ohmcarlo_record *record)
{
    record->kind = (enum ohmcarlo_kind)(words[0] >> OHMCARLO_RECORD_KIND_SHIFT);
    if (record->kind == OHMCARLO_STEP) {
        record->as.step = decoded_step(words);
    } else if (record->kind == OHMCARLO_SAMPLE) {
        record->as.sample = decoded_sample(words);
    } else {
        record->as.prediction.sum = wide(words + 1);
        record->as.prediction.square = wide(words + 3);
    }
}

// -- commands ------------------------------------------------------------------------------------
static enum ohmcarlo_error outcome(const struct ohmcarlo *core)
{
    const uint32_t now = state(core);
    const uint32_t reason = (now & STATE(REASON)) >> OHMCARLO__STATUS__STATE__REASON_bp;
    if ((now & STATE(FAULT)) != 0)
        return OHMCARLO_FAULT;
    if ((now & STATE(ALARM)) != 0)
        return OHMCARLO_ALARM;
    if (reason == OHMCARLO__STATUS__STATE__REASON__NO_ROWS_e)
        return OHMCARLO_NO_ROWS;
    return reason == OHMCARLO__STATUS__STATE__REASON__EXHAUSTED_e ? OHMCARLO_EXHAUSTED
                                                                  : OHMCARLO_OK;
}

// Causes that are set, or were cleared by the interrupt handler
static uint32_t causes(const struct ohmcarlo *core)
{
    return READ(core, INTERRUPT__CAUSE) | core->seen;
}

static void clear_causes(struct ohmcarlo *core)
{
    WRITE(core, INTERRUPT__CLEAR,
          CAUSE(RUN_ENDED) | CAUSE(FAULT) | CAUSE(ALARM) | CAUSE(DATA_ERROR));
    core->seen = 0;
}

static enum ohmcarlo_error begin(struct ohmcarlo *core, uint32_t strobe, bool needs_samples)
{
    if (core->image == NULL)
        return OHMCARLO_NOT_LOADED;
    const uint32_t now = state(core);
    if ((now & STATE(FAULT)) != 0)
        return OHMCARLO_FAULT;
    if ((now & STATE(BUSY)) != 0)
        return OHMCARLO_BUSY;
    if (needs_samples && (now & STATE(ALARM)) != 0)
        return OHMCARLO_ALARM;
    if (needs_samples && (now & STATE(STARTED)) == 0)
        return OHMCARLO_NOT_STARTED;
    clear_causes(core);
    rearm(core);
    command(core, strobe);
    return OHMCARLO_OK;
}

enum ohmcarlo_error ohmcarlo_poll(struct ohmcarlo *core, struct ohmcarlo_record *record,
                                  bool *taken)
{
    const uint32_t set = causes(core); // before the ring: a command that has ended adds no words
    const uint32_t before = core->taken;
    const enum ohmcarlo_error error = fill(core, taken);
    if (error != OHMCARLO_OK)
        return error;
    if (*taken) {
        decode(core->buffer, record);
        core->filled = 0;
        return OHMCARLO_BUSY;
    }
    rearm(core);
    if ((set & CAUSE(FAULT)) != 0)
        return OHMCARLO_FAULT;
    if ((set & CAUSE(RUN_ENDED)) == 0 || core->taken != before)
        return OHMCARLO_BUSY;
    clear_causes(core);
    return core->filled == 0 ? outcome(core) : OHMCARLO_BAD_RECORD;
}

// Signs of progress, whose values change while a command works
static uint32_t progress(const struct ohmcarlo *core)
{
    return core->taken + READ(core, STATUS__STEPS_DONE);
}

// End a command whose records are not wanted; its end has not been noted yet
static enum ohmcarlo_error abandon(struct ohmcarlo *core)
{
    struct patience patience = full_patience(core);
    command(core, COMMAND(HALT));
    while ((causes(core) & (CAUSE(RUN_ENDED) | CAUSE(FAULT))) == 0) {
        if (drop_records(core))
            patience = full_patience(core);
        else if (!polls_left(core, &patience))
            return OHMCARLO_TIMEOUT;
    }
    (void)drop_records(core);
    clear_causes(core);
    return OHMCARLO_STOPPED;
}

static enum ohmcarlo_error finish(struct ohmcarlo *core, ohmcarlo_sink sink, void *context)
{
    struct patience patience = full_patience(core);
    uint32_t reached = progress(core);
    for (;;) {
        struct ohmcarlo_record record;
        bool taken = false;
        const enum ohmcarlo_error error = ohmcarlo_poll(core, &record, &taken);
        if (error != OHMCARLO_BUSY)
            return error;
        if (taken && sink != NULL && !sink(context, &record))
            return abandon(core);
        const uint32_t now = progress(core);
        if (taken || now != reached)
            patience = full_patience(core);
        else if (!polls_left(core, &patience))
            return OHMCARLO_TIMEOUT;
        reached = now;
        if (!taken && core->pause != NULL)
            core->pause(core->pause_context);
    }
}

enum ohmcarlo_error ohmcarlo_start(struct ohmcarlo *core)
{
    const enum ohmcarlo_error error = begin(core, COMMAND(START), false);
    return error == OHMCARLO_OK ? finish(core, NULL, NULL) : error;
}

enum ohmcarlo_error ohmcarlo_begin_run(struct ohmcarlo *core, uint32_t steps)
{
    if (!busy(core))
        WRITE(core, CONTROL__STEPS, steps);
    return begin(core, COMMAND(RUN), true);
}

enum ohmcarlo_error ohmcarlo_run(struct ohmcarlo *core, uint32_t steps, ohmcarlo_sink sink,
                                 void *context)
{
    const enum ohmcarlo_error error = ohmcarlo_begin_run(core, steps);
    return error == OHMCARLO_OK ? finish(core, sink, context) : error;
}

enum ohmcarlo_error ohmcarlo_flush(struct ohmcarlo *core, ohmcarlo_sink sink, void *context)
{
    const enum ohmcarlo_error error = begin(core, COMMAND(FLUSH), true);
    return error == OHMCARLO_OK ? finish(core, sink, context) : error;
}

void ohmcarlo_halt(struct ohmcarlo *core)
{
    command(core, COMMAND(HALT));
}

void ohmcarlo_off(struct ohmcarlo *core)
{
    command(core, COMMAND(OFF));
}

uint32_t ohmcarlo_fault_cause(const struct ohmcarlo *core)
{
    return (state(core) & STATE(FAULT_CAUSE)) >> OHMCARLO__STATUS__STATE__FAULT_CAUSE_bp;
}

// -- interrupts ----------------------------------------------------------------------------------
void ohmcarlo_enable_interrupts(struct ohmcarlo *core, uint32_t enabled, uint32_t threshold)
{
    core->enabled = enabled;
    WRITE(core, INTERRUPT__THRESHOLD, threshold);
    WRITE(core, INTERRUPT__ENABLE, enabled);
}

uint32_t ohmcarlo_acknowledge(struct ohmcarlo *core)
{
    const uint32_t set = READ(core, INTERRUPT__CAUSE) & core->enabled;
    const uint32_t latched = set & ~CAUSE(RECORD_WAITING);
    core->seen |= latched;
    WRITE(core, INTERRUPT__CLEAR, latched);
    if (set != latched)
        WRITE(core, INTERRUPT__ENABLE, core->enabled & ~CAUSE(RECORD_WAITING));
    return set;
}

// -- set-up --------------------------------------------------------------------------------------
enum ohmcarlo_error ohmcarlo_open(struct ohmcarlo *core)
{
    core->image = NULL;
    core->filled = core->enabled = 0;
    core->seen = 0;
    if (READ(core, ID__MAGIC) != (uint32_t)(OHMCARLO__ID__MAGIC__VALUE_reset) ||
        READ(core, IP__MAGIC) != (uint32_t)(OHMCARLO__IP__MAGIC__VALUE_reset))
        return OHMCARLO_NO_CORE;
    if (READ(core, IP__MAP_HASH) != (uint32_t)(OHMCARLO__MAP_HASH))
        return OHMCARLO_OTHER_MAP;
    core->taken = READ(core, RECORDS__TAKEN);
    return ohmcarlo_reset(core);
}

enum ohmcarlo_error ohmcarlo_reset(struct ohmcarlo *core)
{
    ohmcarlo_enable_interrupts(core, 0, 1u);
    clear_causes(core);
    if (busy(core) && abandon(core) == OHMCARLO_TIMEOUT)
        ohmcarlo_off(core);
    command(core, COMMAND(RESET_STATE));
    command(core, COMMAND(CLEAR_FAULT));
    (void)drop_records(core);
    (void)drop_records(core); // words that waited while the ring was full
    clear_causes(core);
    return busy(core) ? OHMCARLO_BUSY : OHMCARLO_OK;
}

static bool settings_kept(const struct ohmcarlo *core, const struct ohmcarlo_image *image)
{
    for (uint32_t i = 0; i < image->setting_count; i++)
        if (read_word(core, image->settings[i].address) != image->settings[i].value)
            return false;
    return true;
}

static enum ohmcarlo_error restart_emulator(struct ohmcarlo *core)
{
    struct patience patience = full_patience(core);
    command(core, COMMAND(EMULATOR_RESTART));
    while ((state(core) & STATE(EMULATOR_IDLE)) == 0)
        if (!polls_left(core, &patience))
            return OHMCARLO_TIMEOUT;
    return OHMCARLO_OK;
}

static void put_points(const struct ohmcarlo *core, const uint32_t *words, uint32_t points)
{
    write_words(core, OHMCARLO__POINTS_addr, words, points * OHMCARLO_POINT_WORDS);
    WRITE(core, MODEL__POINTS, points);
}

// The points of the chain, in their own order
static void put_chain_points(struct ohmcarlo *core, const uint32_t *words, uint32_t points)
{
    core->point_words = words;
    core->points = points;
    put_points(core, words, points);
    for (uint32_t i = 0; i < points; i++)
        write_word(core, OHMCARLO__ORDER_addr + i * WORD_BYTES, i);
}

static void put_image(struct ohmcarlo *core, const struct ohmcarlo_image *image)
{
    for (uint32_t i = 0; i < image->setting_count; i++)
        write_word(core, image->settings[i].address, image->settings[i].value);
    for (uint32_t i = 0; i < image->window_count; i++)
        write_words(core, image->windows[i].address, image->windows[i].words,
                    image->windows[i].count);
    put_chain_points(core, image->point_words, image->points);
}

enum ohmcarlo_error ohmcarlo_load(struct ohmcarlo *core, const struct ohmcarlo_image *image)
{
    if (image->map_hash != (uint32_t)(OHMCARLO__MAP_HASH))
        return OHMCARLO_OTHER_IMAGE;
    if (image->record_words > core->buffer_words)
        return OHMCARLO_SMALL_BUFFER;
    if (image->points > OHMCARLO_MAX_POINTS)
        return OHMCARLO_TOO_MANY_POINTS;
    const uint32_t enabled = core->enabled;
    const uint32_t threshold = READ(core, INTERRUPT__THRESHOLD);
    enum ohmcarlo_error error = ohmcarlo_reset(core); // the model of a started chain is fixed
    if (error != OHMCARLO_OK)
        return error;
    put_image(core, image);
    if (!settings_kept(core, image))
        return OHMCARLO_NOT_WRITTEN;
    error = ohmcarlo_reset(core); // the new rows out of service take effect
    if (error == OHMCARLO_OK && image->emulator)
        error = restart_emulator(core);
    if (error != OHMCARLO_OK)
        return error;
    ohmcarlo_enable_interrupts(core, enabled, threshold);
    core->image = image;
    return OHMCARLO_OK;
}

// -- points and predictions ----------------------------------------------------------------------
enum ohmcarlo_error ohmcarlo_load_points(struct ohmcarlo *core, const uint32_t *words,
                                         uint32_t points)
{
    if (core->image == NULL)
        return OHMCARLO_NOT_LOADED;
    if (points > OHMCARLO_MAX_POINTS)
        return OHMCARLO_TOO_MANY_POINTS;
    if (busy(core))
        return OHMCARLO_BUSY;
    if ((state(core) & STATE(STARTED)) != 0)
        return OHMCARLO_STARTED;
    put_chain_points(core, words, points);
    return OHMCARLO_OK;
}

static uint32_t samples_of_region(const struct ohmcarlo *core, uint32_t region)
{
    const uint32_t group_rows = READ(core, MODEL__HIDDEN) + 1u;
    const uint32_t at = region * REGION_WORDS + OHMCARLO_REGION_MULTIPLICITY;
    uint32_t row = region * READ(core, MODEL__ROWS_PER_REGION);
    uint32_t total = read_word(core, OHMCARLO__STATE_REGIONS_addr + at * WORD_BYTES);
    for (uint32_t left = READ(core, MODEL__REGION_GROUPS); left != 0; left--, row += group_rows)
        total += read_word(core, OHMCARLO__STATE_HELD_addr + row * WORD_BYTES);
    return total;
}

uint32_t ohmcarlo_samples(const struct ohmcarlo *core)
{
    uint32_t total = 0;
    for (uint32_t region = READ(core, MODEL__REGIONS); region != 0; region--)
        total += samples_of_region(core, region - 1u);
    return total;
}

// Restoring division, a bit at a time. The remainder has at most one bit more than `samples`.
uint32_t ohmcarlo_mean(uint64_t sum, uint32_t samples)
{
    uint64_t remainder = 0;
    uint32_t quotient = 0;
    for (uint32_t bit = 2u * WORD_BITS; bit != 0 && samples != 0; bit--) {
        remainder = remainder << 1 | sum >> (2u * WORD_BITS - 1u);
        sum <<= 1;
        quotient <<= 1;
        if (remainder >= samples) {
            remainder -= samples;
            quotient |= 1u;
        }
    }
    return quotient;
}

struct means {
    uint32_t samples;
    uint32_t left; // points without a mean
    uint32_t *next;
};

static bool note_mean(void *context, const struct ohmcarlo_record *record)
{
    struct means *const means = context;
    if (record->kind != OHMCARLO_PREDICTION || means->left == 0)
        return false;
    *means->next++ = ohmcarlo_mean(record->as.prediction.sum, means->samples);
    means->left--;
    return true;
}

// Means of the points in the data memory
static enum ohmcarlo_error predict_loaded(struct ohmcarlo *core, uint32_t points, uint32_t *to)
{
    struct means means = {ohmcarlo_samples(core), points, to};
    enum ohmcarlo_error error = begin(core, COMMAND(PREDICT), true);
    if (error == OHMCARLO_OK)
        error = finish(core, note_mean, &means);
    if (error == OHMCARLO_STOPPED || (error == OHMCARLO_OK && means.left != 0))
        return OHMCARLO_BAD_RECORD;
    return error;
}

static enum ohmcarlo_error predict_parts(struct ohmcarlo *core, const uint32_t *words,
                                         uint32_t points, uint32_t *means)
{
    enum ohmcarlo_error error = OHMCARLO_OK;
    while (points != 0 && error == OHMCARLO_OK) {
        const uint32_t part = points < OHMCARLO_MAX_POINTS ? points : OHMCARLO_MAX_POINTS;
        put_points(core, words, part);
        error = predict_loaded(core, part, means);
        words += part * OHMCARLO_POINT_WORDS;
        means += part;
        points -= part;
    }
    return error;
}

enum ohmcarlo_error ohmcarlo_predict(struct ohmcarlo *core, const uint32_t *words, uint32_t points,
                                     uint32_t *means)
{
    enum ohmcarlo_error error;
    if (core->image == NULL)
        return OHMCARLO_NOT_LOADED;
    if (busy(core))
        return OHMCARLO_BUSY;
    if (words == NULL) {
        if (points > core->points)
            return OHMCARLO_TOO_MANY_POINTS;
        WRITE(core, MODEL__POINTS, points);
        error = predict_loaded(core, points, means);
        WRITE(core, MODEL__POINTS, core->points);
        return error;
    }
    error = predict_parts(core, words, points, means);
    if (!busy(core))
        put_points(core, core->point_words, core->points);
    return error;
}
