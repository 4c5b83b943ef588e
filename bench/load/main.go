// Command load is both ends of the watchdog bench: the next hop that answers CONNECT, and the client that asks;
// and the least that can stand between them.
//
//	load stub   -tls CERT.pem      serve the next hop; prints its port
//	load relay  -next PORT         serve the smallest CONNECT proxy there can be; prints its port
//	load client -proxy HOST:PORT   ask through a proxy; prints one JSON line per run read from standard input
//	load api    -tls CERT.pem      serve HTTP over TLS on kept connections; prints its port
//	load provider -tls CERT.pem    serve an API of models, and the gateway before it; prints both ports
//	load calls                     ask by HTTP on kept connections; prints one JSON line per run likewise
//
// One request is a new TCP connection, a CONNECT, its 200, one write of a ClientHello and 1 KiB, and 1 KiB back.
package main

import (
	"fmt"
	"os"
)

const payload = 1024

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: load stub|relay|client|api|provider|calls [flags]"))
	}
	switch os.Args[1] {
	case "stub":
		fail(stub(os.Args[2:]))
	case "relay":
		fail(relay(os.Args[2:]))
	case "client":
		fail(client(os.Args[2:]))
	case "api":
		fail(api(os.Args[2:]))
	case "provider":
		fail(provider(os.Args[2:]))
	case "calls":
		fail(calls(os.Args[2:]))
	default:
		fail(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
