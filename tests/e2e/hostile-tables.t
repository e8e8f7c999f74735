#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ELF files whose tables are cheap to make and dear to read: see tests/lib/elf_bombs.py.
. "$(dirname "$0")/../lib/hostile.bash"

each_bomb_is_survived "sections symbols names debuglink eh_frame" "sections eh_frame"
done_testing
