#include "commands.h"

#include <stdbool.h>

#include "access.h"
#include "bytes.h"
#include "chain.h"
#include "episodes.h"
#include "hal.h"
#include "handler.h"
#include "mutant.h"
#include "raw.h"
#include "triage.h"

// -- identification ------------------------------------------------------------------------------
static bool maps_match(void)
{
    return core_read(OHMCARLO__ID__MAP_HASH_addr) == OHMCARLO__MAP_HASH &&
           board_read(OHMCARLO_BOARD__ID__MAP_HASH_addr) == OHMCARLO_BOARD__MAP_HASH;
}

static uint8_t *append32(uint8_t *to, uint32_t word)
{
    put16(to, (uint16_t)word);
    put16(to + 2, (uint16_t)(word >> 16));
    return to + 4;
}

void commands_identify(uint8_t *identification)
{
    put16(identification + IDENTIFICATION_PROTOCOL_VERSION_at, LINK_PROTOCOL_VERSION);
    identification[IDENTIFICATION_FIRMWARE_MAJOR_at] = FIRMWARE_MAJOR;
    identification[IDENTIFICATION_FIRMWARE_MINOR_at] = FIRMWARE_MINOR;
    identification[IDENTIFICATION_FIRMWARE_PATCH_at] = FIRMWARE_PATCH;
    identification[IDENTIFICATION_SIMULATED_at] =
        (uint8_t)board_read(OHMCARLO_BOARD__ID__SIMULATED_addr);
    uint8_t *to = identification + IDENTIFICATION_FIRMWARE_MAP_HASH_at;
    to = append32(to, OHMCARLO__MAP_HASH);
    to = append32(to, OHMCARLO_BOARD__MAP_HASH);
    to = append32(to, core_read(OHMCARLO__ID__MAP_HASH_addr));
    to = append32(to, board_read(OHMCARLO_BOARD__ID__MAP_HASH_addr));
    to = append32(to, board_read(OHMCARLO_BOARD__ID__DESIGN_HASH_addr));
    to = append32(to, board_read(OHMCARLO_BOARD__ID__CLOCK_HZ_addr));
    const uint32_t first =
        MUTANT(HALVES_SWAPPED_IN_IDENTIFICATION, hal_clocks(), hal_clocks_upper());
    const uint32_t second =
        MUTANT(HALVES_SWAPPED_IN_IDENTIFICATION, hal_clocks_upper(), hal_clocks());
    to = append32(to, MUTANT(HALVES_SWAPPED_IN_IDENTIFICATION, first, second));
    to = append32(to, MUTANT(HALVES_SWAPPED_IN_IDENTIFICATION, second, first));
    for (uint32_t at = OHMCARLO__ID__MAGIC_addr; at <= OHMCARLO__ID__MAX_REGIONS_addr; at += 4)
        to = append32(to, core_read(at));
}

_Static_assert(IDENTIFICATION_MAX_REGIONS_at - IDENTIFICATION_MAGIC_at ==
                   OHMCARLO__ID__MAX_REGIONS_addr - OHMCARLO__ID__MAGIC_addr,
               "the identification ends with the controller's group id");
_Static_assert(IDENTIFICATION_MAGIC_at == IDENTIFICATION_FIRMWARE_MAP_HASH_at + 32,
               "six words and the clocks lie before it");

// -- requests ------------------------------------------------------------------------------------
static enum status echo(const struct request *request, struct answer *answer)
{
    for (uint32_t i = 0; i < request->length; i++)
        answer->body[i] = request->body[i];
    answer->length = request->length;
    return STATUS_OK;
}

static handler *handler_of(uint8_t type)
{
    static handler *const HANDLERS[] = {
        [MESSAGE_ECHO] = echo,
        [MESSAGE_WRITE] = access_write,
        [MESSAGE_READ] = access_read,
        [MESSAGE_LOAD] = access_load,
        [MESSAGE_UNLOAD] = access_unload,
        [MESSAGE_OPERATE] = raw_operate,
        [MESSAGE_READ_ROW] = raw_read_row,
        [MESSAGE_COMMAND] = chain_command,
        [MESSAGE_EPISODE] = episodes_request,
        [MESSAGE_POLICY] = episodes_policy,
        [MESSAGE_ANSWERS] = triage_answers,
    };
    return type < sizeof HANDLERS / sizeof HANDLERS[0] ? HANDLERS[type] : 0;
}

static enum status handle(uint8_t type, const struct request *request, struct answer *answer)
{
    handler *const found = handler_of(type);
    if (found == 0)
        return STATUS_MALFORMED;
    if (type != MESSAGE_ECHO && !maps_match())
        return STATUS_MISMATCH;
    return found(request, answer);
}

void commands_execute(struct link_request request)
{
    uint8_t *const message = link_message();
    struct answer answer = {.body = message + MESSAGE_bytes, .length = 0};
    enum status status = STATUS_MALFORMED;
    uint16_t number = 0;
    if (request.length >= MESSAGE_bytes) {
        const struct request asked = {
            .body = request.message + MESSAGE_bytes,
            .length = request.length - MESSAGE_bytes,
            .number = get16(request.message + MESSAGE_REQUEST_at),
        };
        number = asked.number;
        status = handle(request.message[MESSAGE_TYPE_at], &asked, &answer);
    }
    if (status == STATUS_LATER)
        return;
    message[MESSAGE_TYPE_at] = MESSAGE_RESPONSE;
    message[MESSAGE_STATUS_at] = (uint8_t)status;
    put16(message + MESSAGE_REQUEST_at, number);
    link_commit(MESSAGE_bytes + (status == STATUS_OK ? answer.length : 0));
}
