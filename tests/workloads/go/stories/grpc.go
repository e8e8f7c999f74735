// SPDX-License-Identifier: Apache-2.0

// A gRPC client that is made for each request and never closed.
package main

import (
	"context"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const requests = 101

func ask(c *grpc.ClientConn) {
	must(grpc_health_v1.NewHealthClient(c).Check(context.Background(),
		&grpc_health_v1.HealthCheckRequest{}))
}

func newClient(address string) *grpc.ClientConn {
	return must(grpc.Dial(address, grpc.WithInsecure()))
}

func isHealthy(address string) {
	ask(newClient(address))
}

func isHealthyFixed(address string) {
	c := newClient(address)
	defer c.Close()
	ask(c)
}

func serve() {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	serveUntilEnd(listener.Addr().String(), func() { s.Serve(listener) })
}

func main() {
	if os.Args[1] == "serve" {
		serve()
		return
	}
	address := startServer()
	check := map[string]func(string){"leak": isHealthy, "fixed": isHealthyFixed}[os.Args[1]]
	tell(func(n int) {
		for i := 0; i < requests; i++ {
			check(address)
		}
		if os.Args[1] == "leak" {
			kept("connection", n*requests, "main.isHealthy")
		}
	})
}
