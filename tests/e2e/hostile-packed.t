#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debug information that unpacks to more than anybody has: see tests/lib/elf_bombs.py.
. "$(dirname "$0")/../lib/hostile.bash"

each_bomb_is_survived "packed_zlib packed_zstd packed_lie packed_xz" "packed_zlib packed_xz"
done_testing
