module libraries

go 1.21

require (
	github.com/dmachard/go-framestream v0.10.0
	github.com/dnstap/golang-dnstap v0.4.0
	github.com/farsightsec/golang-framestream v0.3.0
)

require (
	github.com/klauspost/compress v1.15.9 // indirect
	github.com/miekg/dns v1.1.31 // indirect
	github.com/pierrec/lz4/v4 v4.1.15 // indirect
	github.com/segmentio/kafka-go v0.4.47 // indirect
	golang.org/x/crypto v0.14.0 // indirect
	golang.org/x/net v0.17.0 // indirect
	golang.org/x/sys v0.13.0 // indirect
	google.golang.org/protobuf v1.23.0 // indirect
)
