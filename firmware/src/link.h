// Sessions, and messages kept in order in both directions (go-back-N). firmware/PROTOCOL.md has the
// rules.
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "spec_link.h"

void link_reset(void);

// Takes one frame, if there is one. True: it carried the next message, `link_request()`. The caller
// must answer it with one message, now or later; there is room for the answer now.
bool link_receive(void);

struct link_request {
    const uint8_t *message; // on a multiple of four bytes
    uint32_t length;
};
struct link_request link_request(void);

// A host has requested a session. When the activity of the former one has ended, `link_open` opens
// it and answers with the identification of the board.
bool link_opening(void);
void link_open(const uint8_t *identification, uint32_t length);

uint32_t link_room(void);          // messages that can be sent now
bool link_unacknowledged(void);    // some message waits for its acknowledgement
uint8_t *link_message(void);       // buffer of the next message; requires link_room() > 0
void link_commit(uint32_t length); // the next message is complete

// Sends whatever is due: a new message, repetitions, acknowledgements
void link_send(void);

bool link_owes(void); // whether something is due

#endif // LINK_H
