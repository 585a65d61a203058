"""Planted bugs: for each one in firmware/src/mutant.h, a test of the firmware must fail."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import test_firmware_edges as edges
import test_firmware_link as link
import test_firmware_triage as triage

from link_client import Client
from native_board import mutants, opened
from ohmcarlo_rtl.configs import config_of
from ohmcarlo_rtl.firmware import compile as compiling
from ohmcarlo_rtl.firmware import image

COMPACT = config_of("compact")
KILLERS: dict[str, Callable[[Client], None]] = {
    "NO_ZERO_BEFORE_A_FRAME": edges.test_a_frame_begins_with_a_zero,
    "SHORT_FRAME_TAKEN": edges.test_a_frame_without_its_last_byte,
    "RUN_BEYOND_THE_RING": edges.test_frames_at_the_end_of_the_ring,
    "TOO_LITTLE_ROOM_FOR_A_FRAME": edges.test_a_frame_is_sent_if_it_fits_into_the_ring,
    "TOO_MUCH_ROOM_FOR_A_FRAME": edges.test_a_frame_is_sent_if_it_fits_into_the_ring,
    "UNSENT_IS_ACKNOWLEDGED": link.test_an_acknowledgement_of_a_message_that_is_not_sent_yet,
    "OLD_ACKNOWLEDGEMENT_DISCARDED": edges.test_an_old_acknowledgement,
    "CURSOR_STAYS_BEHIND": edges.test_an_acknowledgement_behind_the_cursor,
    "GOES_BACK_AGAIN_AND_AGAIN": edges.test_goes_back_for_each_missing_message,
    "GOES_BACK_ONCE_ONLY": edges.test_goes_back_for_each_missing_message,
    "PATIENCE_FROM_THE_FIRST_MESSAGE": edges.test_patience_counts_from_the_last_acknowledgement,
    "PATIENCE_WHILE_SENDING": edges.test_patience_does_not_count_while_bytes_wait,
    "NACK_FOR_EVERY_FRAME": edges.test_one_nack_for_a_gap,
    "NACK_ONCE_ONLY": edges.test_one_nack_for_a_gap,
    "ANSWER_WITHOUT_ROOM": link.test_no_request_is_taken_without_room_for_its_answer,
    "RECORDS_LEAVE_ONE_PLACE": edges.test_records_leave_room_for_two_messages,
    "RECORDS_LEAVE_THREE_PLACES": edges.test_records_leave_room_for_two_messages,
    "FINISHED_TOO_EARLY": edges.test_records_arrive_before_the_end_of_their_command,
    "JUDGED_TOO_EARLY": edges.test_a_proposal_is_judged_when_its_record_is_complete,
    "HALVES_SWAPPED_IN_FINISHED": lambda client: edges.test_clock_at_32_bits(
        client.board, edges.clocks_of_finished
    ),
    "HALVES_SWAPPED_IN_IDENTIFICATION": lambda client: edges.test_clock_at_32_bits(
        client.board, edges.clocks_of_identification
    ),
    "PROPOSAL_ACCEPTED_AT_THE_END": edges.test_a_proposal_is_turned_down_when_the_session_ends,
    "PROPOSAL_LEFT_WAITING": edges.test_a_proposal_is_turned_down_when_the_session_ends,
    "QUIET_FOR_EVER": edges.test_an_array_that_never_answers_does_not_prevent_a_session,
    "FEWER_POINTS": edges.test_largest_models,
    "FEWER_FEATURES": edges.test_largest_models,
    "FEWER_GROUP_ROWS": edges.test_largest_models,
    "FEWER_REGIONS": edges.test_largest_models,
    "FEWER_ROWS": edges.test_largest_models,
    "FEWER_GROUPS": edges.test_largest_models,
    "MODEL_OF_A_STARTED_CHAIN": edges.test_model_of_a_started_chain,
    "FAULT_IS_OK": edges.test_a_fault_in_mid_operation,
    "MARGIN_MUST_EXCEED": triage.test_doubts_at_their_thresholds,
    "VARIANCE_IGNORED": triage.test_doubts_at_their_thresholds,
    "NO_KICK_BY_POLLS": edges.test_the_watchdog_is_kicked,
    "NO_KICK_BY_OPERATIONS": edges.test_the_watchdog_is_kicked,
}


def test_each_planted_bug_has_a_test() -> None:
    assert list(KILLERS) == mutants()[1:]
    used = re.findall(r"MUTANT\((\w+),", "".join(compiling.sources("src").values()))
    assert set(used) - {"NAME", "name"} == set(KILLERS)


@pytest.mark.parametrize("mutant", KILLERS)
def test_a_planted_bug_is_found(mutant: str) -> None:
    """The test passes without the bug, and fails with it."""
    with opened() as board:
        run(Client(board), KILLERS[mutant])
    with opened() as board:
        board.plant(mutant)
        with pytest.raises(AssertionError):
            run(Client(board), KILLERS[mutant])


def run(client: Client, test: Callable[[Client], None]) -> None:
    client.open()
    test(client)
    assert client.board.unsafe == 0, client.board.unsafe_reason


# -- the image -----------------------------------------------------------------------------------
def without_mutants(text: str) -> str:
    """``text`` with ``good`` for each ``MUTANT(NAME, good, bad)``."""
    while found := re.search(r"\bMUTANT\(\w+,\s*", text):
        arguments, depth, end = [found.end()], 0, found.end()
        while depth >= 0:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if text[end] == "," and depth == 0:
                arguments.append(end)
            end += 1
        good = text[arguments[0] : arguments[1]]
        text = f"{text[: found.start()]}({good}){text[end:]}"
    return text


@pytest.mark.verify
def test_the_image_has_no_planted_bugs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is the same, byte for byte, if the planted bugs are removed from its sources."""
    built = image.build_image(COMPACT)
    files = compiling.sources("src")
    bare = {
        path: text if path.endswith("mutant.h") else without_mutants(text)
        for path, text in files.items()
    }
    assert bare != files
    monkeypatch.setattr(compiling, "sources", lambda *folders: bare)
    assert image.build_image(COMPACT) == built
