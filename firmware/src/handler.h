// The argument and the result of every request handler.
#ifndef HANDLER_H
#define HANDLER_H

#include <stdint.h>

#include "spec_link.h"

struct request {
    const uint8_t *body; // on a multiple of four bytes
    uint32_t length;
    uint16_t number;
};

struct answer {
    uint8_t *body; // on a multiple of four bytes, LINK_MAX_BODY long
    uint32_t length;
};

// A handler checks the whole request before it executes any part of it. With any status but
// STATUS_OK the answer has no body.
typedef enum status handler(const struct request *request, struct answer *answer);

// Not a status of the link: the answer is sent later, by another function
#define STATUS_LATER ((enum status)0xFF)

#endif // HANDLER_H
