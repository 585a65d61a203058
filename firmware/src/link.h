// Sessions, and messages kept in order in both directions (go-back-N). firmware/PROTOCOL.md has the
// rules.
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "spec_link.h"

void link_reset(void);

// Takes one frame, if one has come. True: it brought the next message, `link_request()`, which must
// be answered with a message of its own, now or later; there is room for it now.
bool link_receive(void);

struct link_request {
    const uint8_t *message; // on a multiple of four bytes
    uint32_t length;
};
struct link_request link_request(void);

// A host asked for a session. Once nothing of the former one goes on, `link_open` begins it with
// the board's identification as the answer.
bool link_opening(void);
void link_open(const uint8_t *identification, uint32_t length);

uint32_t link_room(void);          // messages that can be sent now
bool link_unacknowledged(void);    // some message waits for its acknowledgement
uint8_t *link_message(void);       // where the next message goes; only when link_room() > 0
void link_commit(uint32_t length); // it is written

// Sends what is due: a new message, messages again, acknowledgements
void link_send(void);

bool link_owes(void); // something is due

#endif // LINK_H
