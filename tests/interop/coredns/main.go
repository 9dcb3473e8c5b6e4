// Coredns is CoreDNS with no more plugins than the tests use.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/dnstap"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metadata"
	_ "github.com/coredns/coredns/plugin/whoami"
)

func main() {
	// A query goes through them in this order: log stands before dnstap, and so has the last word.
	dnsserver.Directives = []string{"metadata", "bind", "errors", "log", "dnstap", "file", "forward", "whoami"}
	coremain.Run()
}
