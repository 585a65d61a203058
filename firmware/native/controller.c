// A model of the controller in C. It executes the same commands at the same addresses, counts every
// operation on its array, and streams well-formed records whose numbers come from a hash.
#include <string.h>

#include "model.h"
#include "native.h"
#include "spec_link.h"

#define STEP_CLOCKS 160u
#define RAW_CLOCKS 24u
#define HRS_CODE 8u
#define SAMPLE_WORDS 512u
#define COUNTERS 9u
#define WAY_WORDS 16u
#define MAX_POINTS OHMCARLO__ID__MAX_POINTS__VALUE_reset
#define OPERATIONS (OPERATION_READ + 1)

enum activity { IDLE, STARTING, STEPPING, EXTERNAL, FLUSHING, PREDICTING, OPERATING };
enum counter {
    CLOCKS,
    COUNT_FORM,
    COUNT_RESET,
    COUNT_SET,
    COUNT_READ,
    DOT,
    INVALID,
    SAMPLES,
    POINTS
};

struct controller {
    enum activity activity;
    enum reason reason;
    uint64_t next;      // clock of the next event
    uint32_t remaining; // steps, regions or points
    uint32_t steps_done;
    uint32_t turn;
    uint32_t serial; // of a step, since power-up
    bool started;
    bool alarm;
    bool fault;
    uint32_t fault_cause;
    bool raw_valid;
    uint32_t raw_result;
    bool external_given;
    uint32_t hang;     // operations until the first one without an answer; 0: none
    bool hanging;      // the present operation has no answer
    bool frozen;       // the present step has no answer
    bool varying;      // SETs of an entropy device end in different codes
    uint32_t pulses;   // SETs of varying devices
    uint32_t break_at; // operations until one stops the sequencer; 0: none
    uint32_t delay;    // clocks of a record word between controller and ring
    uint32_t slow;     // more clocks of a single operation and of a step
    uint32_t way_first, way_count;
    uint32_t upper;
    uint64_t count[COUNTERS];
    uint32_t record[SAMPLE_WORDS];
    uint32_t record_words;
    uint32_t record_sent;
};

// Record words between controller and ring, and the clock of their arrival
struct way {
    uint32_t word;
    uint64_t due;
};

static struct controller controller;
static uint64_t sums[MAX_POINTS][2];
static uint32_t given; // sums that a test chose; those of other points come from the hash
static struct way way[WAY_WORDS];
static uint16_t codes[ROWS][DEVICES];
static uint32_t pulses[OPERATIONS][ROWS][DEVICES];

#define SET_TO(name) bus_value(OHMCARLO__##name##_addr)
#define BITS(word, name) (((word) & OHMCARLO__##name##_bm) >> OHMCARLO__##name##_bp)
#define OPTION(name) BITS(SET_TO(MODEL__OPTIONS), MODEL__OPTIONS__##name)

static uint32_t hash(uint32_t word)
{
    word = (word ^ word >> 16) * 0x7FEB352Du;
    word = (word ^ word >> 15) * 0x846CA68Bu;
    return word ^ word >> 16;
}

static void forget(void)
{
    const uint32_t hang = controller.hang;
    const bool frozen = controller.frozen;
    const bool varying = controller.varying;
    const uint32_t delay = controller.delay;
    controller =
        (struct controller){.hang = hang, .frozen = frozen, .varying = varying, .delay = delay};
}

void controller_reset(void)
{
    controller = (struct controller){.activity = IDLE};
    memset(pulses, 0, sizeof pulses);
    given = 0;
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t device = 0; device < DEVICES; device++)
            codes[row][device] = HRS_CODE;
}

bool controller_busy(void)
{
    return controller.activity != IDLE && !controller.fault;
}

bool controller_hangs(void)
{
    return controller_busy() &&
           (controller.frozen ||
            ((controller.hanging || controller.slow != 0) && controller.activity == OPERATING));
}

bool controller_started(void)
{
    return controller.started;
}

uint32_t controller_state(void)
{
#define FLAG(name, value) ((uint32_t)(value) << OHMCARLO__STATUS__STATE__##name##_bp)
    return FLAG(BUSY, controller_busy()) | FLAG(STARTED, controller.started) |
           FLAG(REASON, controller.reason) | FLAG(ALARM, controller.alarm) |
           FLAG(FAULT, controller.fault) | FLAG(FAULT_CAUSE, controller.fault_cause) |
           FLAG(WAITING_EXTERNAL, controller.activity == EXTERNAL && controller.record_words == 0) |
           FLAG(RAW_VALID, controller.raw_valid) | FLAG(EMULATOR_IDLE, 1);
}

// -- records -------------------------------------------------------------------------------------
static void append(uint32_t word)
{
    if (controller.record_words < SAMPLE_WORDS)
        controller.record[controller.record_words++] = word;
}

static bool send_on_its_way(uint32_t word)
{
    if (controller.delay == 0)
        return bus_record(word);
    if (controller.way_count == WAY_WORDS)
        return false;
    const uint32_t place = (controller.way_first + controller.way_count) % WAY_WORDS;
    way[place] = (struct way){.word = word, .due = bus_clock() + controller.delay};
    controller.way_count++;
    return true;
}

static void records_arrive(uint64_t clock)
{
    while (controller.way_count != 0 && way[controller.way_first].due <= clock &&
           bus_record(way[controller.way_first].word)) {
        controller.way_first = (controller.way_first + 1) % WAY_WORDS;
        controller.way_count--;
    }
}

// False: words wait for room in the ring, and the controller waits for them
static bool records_out(void)
{
    while (controller.record_sent < controller.record_words) {
        if (!send_on_its_way(controller.record[controller.record_sent]))
            return false;
        controller.record_sent++;
    }
    controller.record_words = controller.record_sent = 0;
    return true;
}

static uint32_t pairs_of_sample(void)
{
    const uint32_t hidden = SET_TO(MODEL__HIDDEN);
    const uint32_t features = SET_TO(MODEL__FEATURES);
    return hidden == 0 ? features : hidden * features + hidden + 1;
}

static void append_sample(uint32_t region, uint32_t flags)
{
    const uint32_t pairs = pairs_of_sample();
    append((uint32_t)LINK_RECORD_SAMPLE << LINK_RECORD_KIND_SHIFT |
           (pairs + LINK_SAMPLE_HEADER_WORDS));
    append(region | flags);
    append(1 + hash(controller.serial) % 9);
    append(hash(controller.serial + 1));
    append(hash(controller.serial + 2));
    for (uint32_t pair = 0; pair < pairs; pair++)
        append(hash(controller.serial + pair) & 0x03FF03FFu);
    controller.count[SAMPLES]++;
}

static void append_step(bool accepted)
{
    const uint32_t word = hash(controller.serial);
    const uint32_t points = SET_TO(MODEL__POINTS) == 0 ? 0 : word % (SET_TO(MODEL__POINTS) + 1);
    controller.count[POINTS] += points;
    if (OPTION(RECORD_STEPS)) {
        append((uint32_t)LINK_RECORD_STEP << LINK_RECORD_KIND_SHIFT | points |
               controller.turn << LINK_STEP_REGION_SHIFT |
               (uint32_t)accepted << LINK_STEP_ACCEPTED_SHIFT | 1u << LINK_STEP_VALID_SHIFT);
        if (accepted) {
            append(hash(word));
            append(hash(word + 1));
        }
    }
    if (accepted && !OPTION(EXTERNAL))
        append_sample(controller.turn, 0);
}

// -- activities that take time -------------------------------------------------------------------
static void end(enum reason reason)
{
    controller.activity = IDLE;
    controller.reason = reason;
}

static void end_step(bool accepted)
{
    append_step(accepted);
    controller.serial++;
    controller.steps_done++;
    controller.remaining--;
    controller.turn = controller.turn + 1 == SET_TO(MODEL__REGIONS) ? 0 : controller.turn + 1;
    controller.activity = STEPPING;
}

static void step(void)
{
    if (controller.remaining == 0) {
        end(REASON_DONE);
    } else if (OPTION(EXTERNAL)) {
        append_sample(controller.turn, 1u << LINK_SAMPLE_PROPOSAL_BIT);
        controller.external_given = false;
        controller.activity = EXTERNAL;
    } else {
        end_step((hash(controller.serial) & 3) == 0);
    }
}

static void flush(void)
{
    if (controller.remaining == 0) {
        controller.activity = IDLE;
        return;
    }
    append_sample(SET_TO(MODEL__REGIONS) - controller.remaining, 1u << LINK_SAMPLE_CURRENT_BIT);
    controller.remaining--;
}

static uint32_t word_of_sums(uint32_t point, uint32_t word)
{
    if (point < given)
        return (uint32_t)(sums[point][word / 2] >> 32 * (word & 1));
    return (word & 1) != 0 ? 0 : hash(controller.remaining + word);
}

static void predict(void)
{
    if (controller.remaining == 0) {
        controller.activity = IDLE;
        return;
    }
    append((uint32_t)LINK_RECORD_PREDICTION << LINK_RECORD_KIND_SHIFT);
    const uint32_t point = SET_TO(MODEL__POINTS) - controller.remaining;
    for (uint32_t word = 0; word < 4; word++)
        append(word_of_sums(point, word));
    controller.remaining--;
}

static void act(void)
{
    switch (controller.activity) {
    case STARTING:
        controller.started = true;
        end(REASON_DONE);
        break;
    case STEPPING:
        step();
        break;
    case EXTERNAL:
        if (controller.external_given)
            end_step((int32_t)SET_TO(CONTROL__EXTERNAL_LOGLIK) >= 0);
        break;
    case FLUSHING:
        flush();
        break;
    case PREDICTING:
        predict();
        break;
    case OPERATING:
        if (controller.hanging)
            return;
        if (controller.break_at != 0 && --controller.break_at == 0) {
            native_fault(FAULT_CAUSE_SPURIOUS_RESPONSE);
            break;
        }
        controller.raw_valid = true;
        controller.activity = IDLE;
        break;
    case IDLE:
    default:
        break;
    }
}

void controller_work(uint64_t clock)
{
    records_arrive(clock);
    while (records_out() && controller_busy() && !controller.frozen && controller.next <= clock) {
        controller.count[CLOCKS] += STEP_CLOCKS;
        controller.next += STEP_CLOCKS + controller.slow;
        act();
    }
    if (controller.next < clock)
        controller.next = clock;
}

// -- commands ------------------------------------------------------------------------------------
static void begin(enum activity activity, uint32_t remaining)
{
    controller.activity = activity;
    controller.remaining = remaining;
    controller.next =
        bus_clock() + controller.slow + (activity == OPERATING ? RAW_CLOCKS : STEP_CLOCKS);
}

// A device takes a quarter of its DAC code; entropy devices may vary from pulse to pulse.
static uint16_t code_after_set(uint32_t device, uint32_t dac)
{
    const uint32_t code = dac >> 2;
    if (!controller.varying || device < DEVICES - 2 * SET_TO(ID__ENTROPY_PAIRS))
        return (uint16_t)code;
    return (uint16_t)(code + (hash(++controller.pulses) & 31));
}

static void operate(void)
{
    const uint32_t word = SET_TO(RAW__COMMAND);
    const uint32_t operation = BITS(word, RAW__COMMAND__OP);
    const uint32_t row = BITS(word, RAW__COMMAND__ROW);
    const uint32_t device = BITS(word, RAW__COMMAND__DEVICE);
    const uint32_t dac = SET_TO(RAW__DAC);
    if (operation < OPERATION_FORM || operation > OPERATION_READ || row >= ROWS ||
        device >= DEVICES || dac > LINK_DAC_MAX) {
        unsafe("an operation outside the array");
        return;
    }
    pulses[operation][row][operation == OPERATION_RESET ? 0 : device]++;
    controller.count[operation]++; // CLOCKS, then the operations in the order of their codes
    if (operation == OPERATION_SET)
        codes[row][device] = code_after_set(device, dac);
    for (uint32_t i = 0; operation == OPERATION_RESET && i < DEVICES; i++)
        codes[row][i] = HRS_CODE;
    controller.raw_valid = false;
    controller.hanging = controller.hang == 1;
    if (controller.hang > 1)
        controller.hang--;
    controller.raw_result = codes[row][device];
    begin(OPERATING, 0);
}

static bool model_fits(void)
{
    const uint64_t group = SET_TO(MODEL__HIDDEN) + 1;
    const uint64_t regions = SET_TO(MODEL__REGIONS);
    const uint32_t features = SET_TO(MODEL__FEATURES);
    return SET_TO(MODEL__POINTS) <= SET_TO(ID__MAX_POINTS) && features >= 1 &&
           2 * (features + SET_TO(ID__ENTROPY_PAIRS)) <= DEVICES && regions >= 1 &&
           regions <= SET_TO(ID__MAX_REGIONS) && group <= SET_TO(ID__MAX_GROUP_ROWS) &&
           SET_TO(MODEL__REGION_GROUPS) >= 4 &&
           SET_TO(MODEL__REGION_GROUPS) * group <= SET_TO(MODEL__ROWS_PER_REGION) &&
           regions * SET_TO(MODEL__ROWS_PER_REGION) <= ROWS;
}

static void begin_long(uint32_t strobes)
{
    const bool starts = (strobes & CORE_COMMAND(START)) != 0;
    if (!model_fits())
        unsafe("a model that does not fit the array");
    if (!starts && !controller.started)
        unsafe("a command before the start");
    if (starts) {
        controller.alarm = false;
        controller.reason = REASON_RUNNING;
        begin(STARTING, 0);
    } else if ((strobes & CORE_COMMAND(RUN)) != 0) {
        if (controller.alarm)
            unsafe("a run after an alarm");
        controller.steps_done = 0;
        controller.reason = REASON_RUNNING;
        begin(STEPPING, SET_TO(CONTROL__STEPS));
    } else if ((strobes & CORE_COMMAND(FLUSH)) != 0) {
        begin(FLUSHING, SET_TO(MODEL__REGIONS));
    } else {
        begin(PREDICTING, SET_TO(MODEL__POINTS));
    }
}

void controller_command(uint32_t strobes)
{
    const uint32_t begins = CORE_COMMAND(START) | CORE_COMMAND(RUN) | CORE_COMMAND(FLUSH) |
                            CORE_COMMAND(PREDICT) | CORE_COMMAND(RAW);
    const uint32_t resets = CORE_COMMAND(RESET_STATE) | CORE_COMMAND(EMULATOR_RESTART);
    if ((strobes & (strobes - 1)) != 0)
        unsafe("two commands at once");
    if ((strobes & (begins | resets)) != 0 && controller_busy())
        unsafe("a command while the controller is busy");
    if ((strobes & begins) != 0 && controller.fault)
        unsafe("a command while the sequencer is stopped");
    if ((strobes & CORE_COMMAND(OFF)) != 0)
        native_fault(FAULT_CAUSE_OFF);
    else if ((strobes & CORE_COMMAND(RESET_STATE)) != 0)
        forget();
    else if ((strobes & CORE_COMMAND(HALT)) != 0 && controller.activity == STEPPING)
        controller.remaining = 0;
    else if ((strobes & CORE_COMMAND(EXTERNAL)) != 0)
        controller.external_given = true;
    else if ((strobes & CORE_COMMAND(RAW)) != 0)
        operate();
    else if ((strobes & begins) != 0)
        begin_long(strobes);
    if ((strobes & CORE_COMMAND(HALT)) != 0 && controller.activity == EXTERNAL)
        controller.remaining = 1;
}

// -- registers that the controller drives --------------------------------------------------------
static bool counter_answers(uint32_t at, uint32_t *value)
{
    const uint32_t first = OHMCARLO__COUNTERS__CLOCKS__LO_addr;
    if (at < first || at >= first + 8 * COUNTERS)
        return false;
    if ((at & 4) != 0) {
        *value = controller.upper;
        return true;
    }
    const uint64_t count = controller.count[(at - first) / 8];
    controller.upper = (uint32_t)(count >> 32);
    *value = (uint32_t)count;
    return true;
}

bool controller_answers(uint32_t at, uint32_t *value)
{
    switch (at) {
    case OHMCARLO__STATUS__STATE_addr:
        *value = controller_state();
        return true;
    case OHMCARLO__STATUS__STEPS_DONE_addr:
        *value = controller.steps_done;
        return true;
    case OHMCARLO__RAW__RESULT_addr:
        *value = controller.raw_result;
        return true;
    case OHMCARLO__ROW__WEAR_addr: // differs for each selected row
        *value = SET_TO(ROW__SELECT);
        return true;
    default:
        return counter_answers(at, value);
    }
}

// -- the window state_counters -------------------------------------------------------------------
// The counter of a word of the window and the place of that half; 0: the word is elsewhere
static uint64_t *counter_of(uint32_t at, uint32_t *shift)
{
    const uint32_t word = (at - OHMCARLO__STATE_COUNTERS_addr) / 4;
    *shift = 32 * (word & 1);
    return word < 2 * COUNTERS ? &controller.count[word / 2] : 0;
}

void controller_shows(uint32_t at, uint32_t *word)
{
    uint32_t shift = 0;
    const uint64_t *const counter = counter_of(at, &shift);
    if (counter != 0)
        *word = (uint32_t)(*counter >> shift);
}

void controller_takes(uint32_t at, uint32_t word)
{
    uint32_t shift = 0;
    uint64_t *const counter = counter_of(at, &shift);
    if (counter != 0)
        *counter = (*counter & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)word << shift;
}

// -- the library's interface ---------------------------------------------------------------------
uint32_t native_pulses(uint32_t operation, uint32_t row, uint32_t device)
{
    const bool there = operation < OPERATIONS && row < ROWS && device < DEVICES;
    return there ? pulses[operation][row][device] : 0;
}

void native_fault(uint32_t cause)
{
    controller.fault = true;
    controller.fault_cause = cause;
    controller.activity = IDLE;
    controller.reason = REASON_FAULT;
}

void native_alarm(void)
{
    controller.alarm = true;
    if (controller_busy())
        end(REASON_ENTROPY_ALARM);
}

void native_break(uint32_t operation)
{
    controller.break_at = operation;
}

void native_sums(const uint64_t *chosen, uint32_t points)
{
    given = points < MAX_POINTS ? points : MAX_POINTS;
    memcpy(sums, chosen, given * sizeof sums[0]);
}

void native_slow(uint32_t clocks)
{
    controller.slow = clocks;
}

void native_delay(uint32_t clocks)
{
    controller.delay = clocks;
}

void native_freeze(uint32_t frozen)
{
    controller.frozen = frozen != 0;
}

void native_vary(uint32_t varying)
{
    controller.varying = varying != 0;
}

void native_hang(uint32_t hang)
{
    controller.hang = hang;
    controller.hanging = controller.hanging && hang != 0;
}
