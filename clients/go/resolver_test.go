package portolan

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"portolan/clients/go/gatewayv1"
	"portolan/clients/go/internal/fake"
)

const alpine = "docker.io/library/alpine:3"

// connect is a resolver that asks a gateway made for this test.
func connect(t *testing.T, gateway *fake.Gateway) remotes.Resolver {
	t.Helper()
	conn, err := Dial(gateway.Serve(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewResolver(conn)
}

func TestResolve(t *testing.T) {
	var gateway fake.Gateway
	root := gateway.Put(alpine, ocispec.MediaTypeImageIndex, []byte("an index"))
	latest := gateway.Put("registry.example:5000/a/b:latest", ocispec.MediaTypeImageManifest, []byte("a manifest"))
	resolver := connect(t, &gateway)
	for _, test := range []struct {
		ref, name string
		root      *gatewayv1.Descriptor
	}{
		{alpine, alpine, root},
		{"alpine:3", alpine, root},
		{"alpine:2@" + root.Digest, "docker.io/library/alpine:2@" + root.Digest, root},
		{"registry.example:5000/a/b", "registry.example:5000/a/b:latest", latest},
	} {
		name, desc, err := resolver.Resolve(t.Context(), test.ref)
		if err != nil {
			t.Errorf("%s: %v", test.ref, err)
			continue
		}
		if name != test.name {
			t.Errorf("%s is %s, not %s", test.ref, name, test.name)
		}
		if got := write(desc); got.String() != test.root.String() {
			t.Errorf("%s is %v, not %v", test.ref, got, test.root)
		}
	}
}

func TestResolveFails(t *testing.T) {
	var gateway fake.Gateway
	other := gateway.Put("", ocispec.MediaTypeImageIndex, []byte("another index"))
	resolver := connect(t, &gateway)
	if _, _, err := resolver.Resolve(t.Context(), alpine); !errdefs.IsNotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
	if _, _, err := resolver.Resolve(t.Context(), "Not A Reference"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("what is no reference: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := resolver.Resolve(ctx, alpine); !errors.Is(err, context.Canceled) {
		t.Errorf("what nobody waits for: %v", err)
	}

	// A gateway that answers something else than was asked is not believed.
	asked := "sha256:" + strings.Repeat("0", 64)
	for what, root := range map[string]*gatewayv1.Descriptor{
		"another digest": other,
		"no descriptor":  nil,
		"no digest":      {Digest: "sha256:7", Size: 1},
		"no size":        {Digest: asked, Size: -1},
	} {
		gateway.OnResolve = func(*gatewayv1.ResolveRequest) (*gatewayv1.ResolveResponse, error) {
			return &gatewayv1.ResolveResponse{Root: root}, nil
		}
		if _, _, err := resolver.Resolve(t.Context(), "alpine@"+asked); !errdefs.IsDataLoss(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestReferencesAreLookedAtEarly(t *testing.T) {
	resolver := NewResolver(nil)
	if _, err := resolver.Fetcher(t.Context(), "a b"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("to fetch from: %v", err)
	}
	if _, err := resolver.Pusher(t.Context(), "a b"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("to push to: %v", err)
	}
}
