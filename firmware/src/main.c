#include <stdbool.h>

#include "chain.h"
#include "commands.h"
#include "episodes.h"
#include "firmware.h"
#include "frame.h"
#include "hal.h"
#include "link.h"
#include "mutant.h"
#include "records.h"
#include "triage.h"

void firmware_start(void)
{
    link_reset();
    chain_reset();
    episodes_reset();
    triage_reset();
}

static void open_session(void)
{
    uint8_t identification[IDENTIFICATION_bytes];
    episodes_reset();
    triage_reset();
    if (!chain_quiet())
        return;
    commands_identify(identification);
    link_open(identification, sizeof identification);
}

// Nothing is active, and only a byte from the host can change that
static bool idle(void)
{
    return !chain_busy() && !episodes_busy() && !link_opening() && !link_owes() &&
           !link_unacknowledged() && !records_waiting() && frame_all_sent() && !frame_waiting();
}

// The flag is written in every poll, because any other write to the board clears it
static void tell_idle(void)
{
    board_write(OHMCARLO_BOARD__CONTROL__IDLE_addr, idle() ? 1u : 0u);
}

void firmware_poll(void)
{
    if (MUTANT(NO_KICK_BY_POLLS, true, false))
        hal_kick();
    if (link_receive())
        commands_execute(link_request());
    if (link_opening()) {
        open_session();
    } else {
        if (triage_active())
            triage_poll();
        else
            records_poll();
        chain_poll();
        episodes_poll();
    }
    link_send();
    tell_idle();
}
