#include "chain.h"

#include "bytes.h"
#include "hal.h"
#include "link.h"
#include "mutant.h"
#include "records.h"
#include "triage.h"

// Words of a record may still be under way to the ring when the controller is idle. The command has
// ended after so many polls without a new word.
#define EMPTY_POLLS 2u

// Longer than any step: if a chain that is being ended makes no progress in this time, the array
// does not answer, and everything is switched off
#define QUIET_LIMIT_CLOCKS (1u << 27)

struct chain {
    bool running;     // a long command was started, and FINISHED is not sent yet
    uint32_t empty;   // successive polls with an idle controller and no records
    uint32_t waiting; // successive polls with a waiting proposal and no new record
    uint32_t records; // end of the records at the last such poll
    uint32_t inputs;  // features of a proposal that this processor judges; 0: the host judges
    bool ending;      // the activity is being ended …
    uint32_t since;   // … and has made no progress since this clock …
    uint32_t reached; // … and this state
};

static struct chain chain;

void chain_reset(void)
{
    chain = (struct chain){.running = false};
}

void chain_judge(uint32_t inputs)
{
    chain.inputs = inputs;
}

bool chain_busy(void)
{
    return chain.running || (core_state() & CORE_STATE(BUSY)) != 0;
}

// -- commands ------------------------------------------------------------------------------------
#define MODEL(name) core_read(OHMCARLO__MODEL__##name##_addr)
#define LIMIT(name) core_read(OHMCARLO__ID__##name##_addr)

static inline bool between(uint32_t value, uint32_t low, uint32_t high)
{
    return low <= value && value <= high;
}

// The model fits the controller and the array
static bool model_fits(void)
{
    const uint32_t group_rows = MODEL(HIDDEN) + 1u;
    const uint32_t features = LIMIT(PAIRS) - LIMIT(ENTROPY_PAIRS) - MUTANT(FEWER_FEATURES, 0u, 1u);
    return MODEL(POINTS) <= LIMIT(MAX_POINTS) - MUTANT(FEWER_POINTS, 0u, 1u) &&
           between(MODEL(FEATURES), 1, features) &&
           group_rows <= LIMIT(MAX_GROUP_ROWS) - MUTANT(FEWER_GROUP_ROWS, 0u, 1u) &&
           between(MODEL(REGIONS), 1, LIMIT(MAX_REGIONS) - MUTANT(FEWER_REGIONS, 0u, 1u)) &&
           MODEL(REGION_GROUPS) >= 4 &&
           MODEL(REGION_GROUPS) * group_rows <=
               MODEL(ROWS_PER_REGION) - MUTANT(FEWER_GROUPS, 0u, 1u) &&
           MODEL(REGIONS) * MODEL(ROWS_PER_REGION) <= LIMIT(ROWS) - MUTANT(FEWER_ROWS, 0u, 1u) &&
           MODEL(MIN_FREE) >= 2 && MODEL(RETRIES) >= 1;
}

// Proposals that this processor judges are linear policies
static bool judge_fits(void)
{
    const uint32_t options = core_read(OHMCARLO__MODEL__OPTIONS_addr);
    return chain.inputs == 0 || (options & OHMCARLO__MODEL__OPTIONS__EXTERNAL_bm) == 0 ||
           (MODEL(FEATURES) == chain.inputs && MODEL(HIDDEN) == 0);
}

// Whether a long command can start now
static enum status check_long(uint16_t command)
{
    const bool predicts = command == COMMAND_PREDICT || command == COMMAND_TRIAGE;
    if (!model_fits() || !judge_fits() || (predicts && MODEL(POINTS) == 0))
        return STATUS_OUT_OF_RANGE;
    const uint32_t state = core_state();
    if ((state & CORE_STATE(FAULT)) != 0)
        return STATUS_FAULT;
    if (chain_busy())
        return STATUS_BUSY;
    const bool ready = (state & (CORE_STATE(STARTED) | CORE_STATE(ALARM))) == CORE_STATE(STARTED);
    return command == COMMAND_START || ready ? STATUS_OK : STATUS_NOT_STARTED;
}

void chain_give_external(uint32_t loglik)
{
    chain.waiting = 0;
    core_write(OHMCARLO__CONTROL__EXTERNAL_LOGLIK_addr, loglik);
    core_command(CORE_COMMAND(EXTERNAL));
}

bool chain_waits_external(void)
{
    return (core_state() & CORE_STATE(WAITING_EXTERNAL)) != 0;
}

// Words of its record may still be under way to the ring
bool chain_proposal_waits(void)
{
    if (!chain_waits_external() || records_full() || records_end() != chain.records)
        chain.waiting = 0;
    else if (chain.waiting < EMPTY_POLLS)
        chain.waiting++;
    chain.records = records_end();
    return chain.waiting >= MUTANT(JUDGED_TOO_EARLY, EMPTY_POLLS, 1u);
}

static void begin(uint32_t strobe)
{
    core_command(strobe);
    chain.running = true;
    chain.empty = 0;
}

static enum status long_command(uint16_t command, uint32_t argument)
{
    const enum status status = check_long(command);
    if (status != STATUS_OK)
        return status;
    switch (command) {
    case COMMAND_START:
        begin(CORE_COMMAND(START));
        break;
    case COMMAND_RUN:
        core_write(OHMCARLO__CONTROL__STEPS_addr, argument);
        begin(CORE_COMMAND(RUN));
        break;
    case COMMAND_FLUSH:
        begin(CORE_COMMAND(FLUSH));
        break;
    case COMMAND_TRIAGE:
        triage_begin(argument);
        begin(CORE_COMMAND(PREDICT));
        break;
    default:
        begin(CORE_COMMAND(PREDICT));
        break;
    }
    return STATUS_OK;
}

static enum status command_if(bool allowed, enum status otherwise, uint32_t strobe)
{
    if (!allowed)
        return otherwise;
    core_command(strobe);
    return STATUS_OK;
}

static enum status external(uint32_t loglik)
{
    if (chain.inputs != 0 || !chain_waits_external())
        return STATUS_NOT_STARTED;
    chain_give_external(loglik);
    return STATUS_OK;
}

enum status chain_command(const struct request *request, struct answer *answer)
{
    (void)answer;
    if (request->length != COMMAND_bytes)
        return STATUS_MALFORMED;
    const uint16_t command = get16(request->body + COMMAND_COMMAND_at);
    const uint32_t argument = get32(request->body + COMMAND_ARGUMENT_at);
    switch (command) {
    case COMMAND_START:
    case COMMAND_RUN:
    case COMMAND_FLUSH:
    case COMMAND_PREDICT:
    case COMMAND_TRIAGE:
        return long_command(command, argument);
    case COMMAND_HALT:
        return command_if(true, STATUS_OK, CORE_COMMAND(HALT));
    case COMMAND_CLEAR_FAULT:
        return command_if(true, STATUS_OK, CORE_COMMAND(CLEAR_FAULT));
    case COMMAND_OFF:
        return command_if(true, STATUS_OK, CORE_COMMAND(OFF));
    case COMMAND_EMULATOR_RESTART:
        return command_if(!chain_busy(), STATUS_BUSY, CORE_COMMAND(EMULATOR_RESTART));
    case COMMAND_RESET_STATE:
        return command_if(!chain_busy(), STATUS_BUSY, CORE_COMMAND(RESET_STATE));
    case COMMAND_EXTERNAL:
        return external(argument);
    default:
        return STATUS_UNKNOWN_NAME;
    }
}

// -- end of a command ----------------------------------------------------------------------------
// The controller is idle, and no record word arrived for some polls
static bool ended(void)
{
    const bool more = triage_active() ? triage_waiting() : records_waiting();
    if ((core_state() & CORE_STATE(BUSY)) != 0 || more)
        chain.empty = 0;
    else if (chain.empty < EMPTY_POLLS)
        chain.empty++;
    return chain.empty >= MUTANT(FINISHED_TOO_EARLY, EMPTY_POLLS, 1u);
}

static inline uint8_t part(uint32_t state, uint32_t mask, uint32_t low)
{
    return (uint8_t)((state & mask) >> low);
}

#define STATE_PART(state, name) part(state, CORE_STATE(name), OHMCARLO__STATUS__STATE__##name##_bp)

static void report(void)
{
    uint8_t *const message = link_message();
    uint8_t *const body = message + MESSAGE_bytes;
    const uint32_t state = core_state();
    message[MESSAGE_TYPE_at] = MESSAGE_FINISHED;
    message[MESSAGE_STATUS_at] = STATUS_OK;
    put16(message + MESSAGE_REQUEST_at, 0);
    body[FINISHED_REASON_at] = STATE_PART(state, REASON);
    body[FINISHED_ALARM_at] = STATE_PART(state, ALARM);
    body[FINISHED_FAULT_at] = STATE_PART(state, FAULT);
    body[FINISHED_FAULT_CAUSE_at] = STATE_PART(state, FAULT_CAUSE);
    put32(body + FINISHED_STEPS_DONE_at, core_read(OHMCARLO__STATUS__STEPS_DONE_addr));
    const uint32_t first = MUTANT(HALVES_SWAPPED_IN_FINISHED, hal_clocks(), hal_clocks_upper());
    const uint32_t second = MUTANT(HALVES_SWAPPED_IN_FINISHED, hal_clocks_upper(), hal_clocks());
    put32(body + FINISHED_CLOCKS_at, MUTANT(HALVES_SWAPPED_IN_FINISHED, first, second));
    put32(body + FINISHED_CLOCKS_at + 4, MUTANT(HALVES_SWAPPED_IN_FINISHED, second, first));
    link_commit(MESSAGE_bytes + FINISHED_bytes);
}

void chain_poll(void)
{
    if (chain.running && ended() && link_room() > 0) {
        chain.running = false;
        triage_end();
        report();
    }
}

// Changes while the activity goes on
static uint32_t progress(void)
{
    return records_end() + core_read(OHMCARLO__STATUS__STEPS_DONE_addr);
}

static void watch_ending(void)
{
    const uint32_t reached = progress();
    const uint32_t now = hal_clocks();
    const bool late = MUTANT(QUIET_FOR_EVER, now - chain.since > QUIET_LIMIT_CLOCKS, false);
    if (chain.ending && reached == chain.reached && !late)
        return;
    if (chain.ending && reached == chain.reached)
        core_command(CORE_COMMAND(OFF));
    chain.ending = true;
    chain.since = now;
    chain.reached = reached;
}

bool chain_quiet(void)
{
    const uint32_t state = core_state();
    watch_ending();
    if ((state & CORE_STATE(BUSY)) != 0)
        core_command(CORE_COMMAND(HALT));
    if (MUTANT(PROPOSAL_LEFT_WAITING, (state & CORE_STATE(WAITING_EXTERNAL)) != 0, false))
        chain_give_external(
            MUTANT(PROPOSAL_ACCEPTED_AT_THE_END, (uint32_t)INT32_MIN, 0u)); // rejects
    records_drop();
    if (!ended())
        return false;
    chain.running = chain.ending = false;
    return true;
}
