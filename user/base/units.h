/* SPDX-License-Identifier: Apache-2.0 */
/* Times, sizes and counts as people write and read them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * `30`, `1.5h`, `500ms`: a decimal number and one of ms s m h (none: seconds) -> nanoseconds.
 * Returns 0, -EINVAL, or -ERANGE when it does not fit; `*ret` is untouched on failure.
 */
int units_parse_time(const char *s, uint64_t *ret);
/* `4096`, `64K`, `1.5GiB`: a decimal number and one of K M G T (powers of 1024) -> bytes. As above.
 */
int units_parse_size(const char *s, uint64_t *ret);
/* Digits only. As above. */
int units_parse_uint(const char *s, uint64_t max, uint64_t *ret);

struct units_text {
	char s[40];
};

/* "211 B", "27.0 KiB". */
struct units_text units_bytes(uint64_t bytes);
/* "120 ms", "4.8 s", "5m 12s", "3h 05m", "2d 04h". */
struct units_text units_duration(double seconds);
/* "120,034". */
struct units_text units_count(uint64_t n);
