// Collector prints one line for each dnstap message that is sent to a unix socket.
package main

import (
	"fmt"
	"log"
	"os"

	dnstap "github.com/dnstap/golang-dnstap"
	"google.golang.org/protobuf/proto"
)

func main() {
	input, err := dnstap.NewFrameStreamSockInputFromPath(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	payloads := make(chan []byte, 64)
	go input.ReadInto(payloads)
	for payload := range payloads {
		var tap dnstap.Dnstap
		if err := proto.Unmarshal(payload, &tap); err != nil {
			log.Print(err)
			continue
		}
		fmt.Printf("%s %s\n", tap.GetIdentity(), tap.GetMessage().GetType())
	}
}
