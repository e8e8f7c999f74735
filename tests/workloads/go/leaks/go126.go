// SPDX-License-Identifier: Apache-2.0

//go:build go1.26

package main

import (
	"bytes"
	"fmt"
	"runtime/pprof"
)

// Go 1.26 has the profile only when it is built with GOEXPERIMENT=goroutineleakprofile.
func init() {
	runtimeSays = func() int {
		var text bytes.Buffer
		profile := pprof.Lookup("goroutineleak")
		if profile == nil || profile.WriteTo(&text, 1) != nil {
			return -1
		}
		n := -1
		fmt.Sscanf(text.String(), "goroutineleak profile: total %d", &n)
		return n
	}
}
