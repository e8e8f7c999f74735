// SPDX-License-Identifier: Apache-2.0

// With this file a story keeps a profile of its heap, as servers do that can be asked for one.
package main

import _ "net/http/pprof"
