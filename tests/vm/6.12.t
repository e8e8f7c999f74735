#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tests of tests/vm/suite in Debian's kernel 6.12.
exec "$(dirname "$0")/tap" 6.12
