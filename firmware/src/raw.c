#include "raw.h"

#include <stdbool.h>

#include "bytes.h"
#include "chain.h"
#include "hal.h"
#include "mutant.h"

// Longer than the longest operation that the watchdog of the sequencer (24 bits) allows
#define RAW_LIMIT_CLOCKS (1u << 25)
#define CODE_bytes 2u

_Static_assert(RAW_LIMIT_CLOCKS < OHMCARLO_BOARD__ID__WATCHDOG_CLOCKS__VALUE_reset,
               "the watchdog waits for an operation");

static inline uint32_t devices_of_row(void)
{
    return 2u * core_read(OHMCARLO__ID__PAIRS_addr);
}

static inline bool row_exists(uint32_t row)
{
    return row < core_read(OHMCARLO__ID__ROWS_addr);
}

// The sequencer has a fault, or the controller is busy
static enum status check_array(void)
{
    if ((core_state() & CORE_STATE(FAULT)) != 0)
        return STATUS_FAULT;
    return chain_busy() ? STATUS_BUSY : STATUS_OK;
}

// Executes one operation. False: the sequencer has stopped, or the array did not answer. In the
// second case everything is switched off, which is a fault, too.
static bool execute(uint32_t operation, uint32_t row, uint32_t device, uint32_t dac)
{
    if (MUTANT(NO_KICK_BY_OPERATIONS, true, false))
        hal_kick();
    core_write(OHMCARLO__RAW__DAC_addr, dac);
    core_write(OHMCARLO__RAW__COMMAND_addr, operation << OHMCARLO__RAW__COMMAND__OP_bp |
                                                row << OHMCARLO__RAW__COMMAND__ROW_bp |
                                                device << OHMCARLO__RAW__COMMAND__DEVICE_bp);
    core_command(CORE_COMMAND(RAW));
    const uint32_t begun = hal_clocks();
    uint32_t state = core_state();
    while ((state & (CORE_STATE(BUSY) | CORE_STATE(FAULT))) == CORE_STATE(BUSY)) {
        if (hal_clocks() - begun > RAW_LIMIT_CLOCKS) {
            core_command(CORE_COMMAND(OFF));
            return false;
        }
        state = core_state();
    }
    return MUTANT(FAULT_IS_OK, (state & CORE_STATE(FAULT)) == 0, true);
}

static inline uint16_t result(void)
{
    return (uint16_t)core_read(OHMCARLO__RAW__RESULT_addr);
}

static enum status check_operation(const uint8_t *item)
{
    const uint8_t operation = item[OPERATION_OPERATION_at];
    if (operation < OPERATION_FORM || operation > OPERATION_READ)
        return STATUS_UNKNOWN_NAME;
    if (item[OPERATION_ZERO_at] != 0 || !row_exists(get16(item + OPERATION_ROW_at)) ||
        get16(item + OPERATION_DEVICE_at) >= devices_of_row() ||
        get16(item + OPERATION_DAC_at) > LINK_DAC_MAX)
        return STATUS_OUT_OF_RANGE;
    return STATUS_OK;
}

enum status raw_operate(const struct request *request, struct answer *answer)
{
    const uint8_t *const end = request->body + request->length;
    if (request->length == 0 || (request->length & (OPERATION_bytes - 1u)) != 0)
        return STATUS_MALFORMED;
    for (const uint8_t *item = request->body; item != end; item += OPERATION_bytes) {
        const enum status status = check_operation(item);
        if (status != STATUS_OK)
            return status;
    }
    const enum status status = check_array();
    if (status != STATUS_OK)
        return status;
    for (const uint8_t *item = request->body; item != end; item += OPERATION_bytes) {
        const uint8_t operation = item[OPERATION_OPERATION_at];
        if (!execute(operation, get16(item + OPERATION_ROW_at), get16(item + OPERATION_DEVICE_at),
                     get16(item + OPERATION_DAC_at)))
            return STATUS_FAULT;
        if (operation == OPERATION_READ) {
            put16(answer->body + answer->length, result());
            answer->length += CODE_bytes;
        }
    }
    return STATUS_OK;
}

enum status raw_read_row(const struct request *request, struct answer *answer)
{
    if (request->length != READ_ROW_bytes)
        return STATUS_MALFORMED;
    const uint32_t row = get16(request->body + READ_ROW_ROW_at);
    const uint32_t first = get16(request->body + READ_ROW_FIRST_at);
    const uint32_t devices = get16(request->body + READ_ROW_DEVICES_at);
    if (!row_exists(row) || devices == 0 || devices > LINK_MAX_BODY / CODE_bytes ||
        first + devices > devices_of_row())
        return STATUS_OUT_OF_RANGE;
    const enum status status = check_array();
    if (status != STATUS_OK)
        return status;
    for (uint32_t device = first; device < first + devices; device++) {
        if (!execute(OPERATION_READ, row, device, 0))
            return STATUS_FAULT;
        put16(answer->body + answer->length, result());
        answer->length += CODE_bytes;
    }
    return STATUS_OK;
}
