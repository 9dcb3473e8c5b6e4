module peer

go 1.19

require github.com/farsightsec/golang-framestream v0.3.0
