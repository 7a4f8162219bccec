// Package portolan lets containerd's code, and whoever uses it, get its images through a Portolan gateway.
//
// [Dial] reaches a gateway, and [NewResolver] makes of it what containerd calls a resolver. Credentials, mirrors and what
// a tag means are the gateway's affair. Errors are those of containerd's errdefs, and [ProblemOf] says what the gateway
// told besides. Calls that containerd has no word for are in the generated package gatewayv1.
package portolan

//go:generate go -C internal/generate run .
