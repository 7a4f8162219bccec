// A frontend in Go: what would a container of the image run?
//
// The answer is what `solve` in export_portolan_oci_frontend says; command has what needs no host, and is tested without
// one. What is below bindings is made of the contract by wit-bindgen, and not written by hand.
//
// `docs/writing-a-frontend.md` says how it is built and run.
package main

// The exports of the component are that package's.
import _ "entrypoint/bindings/wit_exports"

// A component is called by what it exports.
func main() {}
