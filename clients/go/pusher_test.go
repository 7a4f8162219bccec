package portolan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc/codes"

	"portolan/clients/go/gatewayv1"
	"portolan/clients/go/internal/fake"
)

func push(t *testing.T, gateway *fake.Gateway, ref string, desc ocispec.Descriptor) content.Writer {
	t.Helper()
	pusher, err := connect(t, gateway).Pusher(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	writer, err := pusher.Push(t.Context(), desc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	return writer
}

func TestPush(t *testing.T) {
	for _, content := range [][]byte{layer, layer[:1], {}} {
		var gateway fake.Gateway
		desc := descriptorOf(ocispec.MediaTypeImageLayer, content)
		writer := push(t, &gateway, alpine, desc)
		// The buffer is used again at once, as containerd does.
		buffer := bytes.Clone(content)
		if n, err := writer.Write(buffer); n != len(content) || err != nil {
			t.Fatalf("wrote %d bytes: %v", n, err)
		}
		clear(buffer)
		status, err := writer.Status()
		if err != nil || status.Offset != desc.Size || status.Total != desc.Size || status.Expected != desc.Digest {
			t.Errorf("%+v, %v", status, err)
		}
		if err := writer.Commit(t.Context(), desc.Size, desc.Digest); err != nil {
			t.Fatal(err)
		}
		if writer.Digest() != desc.Digest {
			t.Errorf("digest %s", writer.Digest())
		}
		pushes := gateway.Pushes()
		if len(pushes) != 1 {
			t.Fatalf("pushes: %v", pushes)
		}
		got := pushes[0]
		if got.Repository != "docker.io/library/alpine" || got.Name != "" ||
			got.Digest != desc.Digest || got.MediaType != desc.MediaType {
			t.Errorf("pushed %+v", got)
		}
		for _, chunk := range got.Chunks {
			if chunk > 1<<20 {
				t.Errorf("a chunk of %d bytes", chunk)
			}
		}
	}
}

func TestPushNames(t *testing.T) {
	index := descriptorOf(ocispec.MediaTypeImageIndex, []byte("index"))
	other := digest.FromString("other").String()
	for _, test := range []struct{ ref, mediaType, name string }{
		{"alpine:3", ocispec.MediaTypeImageIndex, "3"},
		{"alpine:3", "application/vnd.docker.distribution.manifest.v2+json", "3"},
		{"alpine:3", ocispec.MediaTypeImageLayer, ""},
		{"alpine", ocispec.MediaTypeImageIndex, "latest"},
		{"alpine:3@" + index.Digest.String(), ocispec.MediaTypeImageIndex, "3"},
		{"alpine:3@" + other, ocispec.MediaTypeImageIndex, ""},
		{"alpine@" + index.Digest.String(), ocispec.MediaTypeImageIndex, ""},
	} {
		var gateway fake.Gateway
		desc := index
		desc.MediaType = test.mediaType
		writer := push(t, &gateway, test.ref, desc)
		if err := content.Copy(t.Context(), writer, bytes.NewReader([]byte("index")), desc.Size, desc.Digest); err != nil {
			t.Fatal(err)
		}
		if got := gateway.Pushes()[0].Name; got != test.name {
			t.Errorf("%s as %s is named %q, not %q", test.ref, test.mediaType, got, test.name)
		}
	}
}

func TestPushWrongDigest(t *testing.T) {
	var gateway fake.Gateway
	desc := descriptorOf(ocispec.MediaTypeImageLayer, []byte("what was promised"))
	writer := push(t, &gateway, alpine, desc)
	err := content.Copy(t.Context(), writer, bytes.NewReader([]byte("what was really sent")[:desc.Size]), desc.Size, desc.Digest)
	if !errdefs.IsDataLoss(err) {
		t.Errorf("%v", err)
	}
	if problem, ok := ProblemOf(err); !ok || problem.GetCode() != "digest-mismatch" {
		t.Errorf("problem %v", problem)
	}
	if pushes := gateway.Pushes(); len(pushes) != 0 {
		t.Errorf("stored %v", pushes)
	}
}

// Who commits something else than was promised, or nothing, has stored nothing.
func TestPushGivenUp(t *testing.T) {
	desc := descriptorOf(ocispec.MediaTypeImageLayer, []byte("all of it"))
	for what, end := range map[string]func(content.Writer) error{
		"another size": func(w content.Writer) error {
			return w.Commit(t.Context(), desc.Size+1, desc.Digest)
		},
		"another digest": func(w content.Writer) error {
			return w.Commit(t.Context(), desc.Size, digest.FromString("other"))
		},
		"closed before": func(w content.Writer) error {
			w.Close()
			return w.Commit(t.Context(), desc.Size, desc.Digest)
		},
	} {
		var gateway fake.Gateway
		writer := push(t, &gateway, alpine, desc)
		if _, err := writer.Write([]byte("all of it")); err != nil {
			t.Fatal(err)
		}
		if err := end(writer); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := writer.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s, and then a write: %v", what, err)
		}
		for deadline := time.Now().Add(10 * time.Second); len(gateway.Ended()) == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the gateway still waits", what)
			}
		}
		if err := gateway.Ended()[0]; err == nil {
			t.Errorf("%s: the gateway was content", what)
		}
		if pushes := gateway.Pushes(); len(pushes) != 0 {
			t.Errorf("%s: stored %v", what, pushes)
		}
	}
}

// A gateway need not wait for bytes that it has, or that it does not want.
func TestPushAnsweredEarly(t *testing.T) {
	desc := descriptorOf(ocispec.MediaTypeImageLayer, layer)
	refusal := fake.Failure(codes.PermissionDenied, "not here", &gatewayv1.Problem{Code: "denied", Hint: "elsewhere"})
	for _, refused := range []bool{false, true} {
		gateway := fake.Gateway{OnPush: func(stream fake.PushStream) error {
			if _, err := stream.Recv(); err != nil {
				return err
			}
			if refused {
				return refusal
			}
			return stream.SendAndClose(&gatewayv1.PushResponse{Created: false})
		}}
		// More than fits into any window, so that the answer is there before the end.
		many := io.MultiReader(bytes.NewReader(layer), bytes.NewReader(layer), bytes.NewReader(layer))
		desc.Size = 3 * int64(len(layer))
		err := content.Copy(t.Context(), push(t, &gateway, alpine, desc), many, desc.Size, desc.Digest)
		if !refused && err != nil {
			t.Errorf("what is there already: %v", err)
		}
		if refused && !errdefs.IsPermissionDenied(err) {
			t.Errorf("what is refused: %v", err)
		}
		if problem, ok := ProblemOf(err); ok != refused || problem.GetHint() != map[bool]string{true: "elsewhere"}[refused] {
			t.Errorf("problem %v", problem)
		}
	}
}

func TestPushCanceled(t *testing.T) {
	received := make(chan struct{})
	gateway := fake.Gateway{OnPush: func(stream fake.PushStream) error {
		for {
			if _, err := stream.Recv(); err != nil {
				break
			}
		}
		close(received)
		<-stream.Context().Done()
		return nil
	}}
	desc := descriptorOf(ocispec.MediaTypeImageLayer, []byte("x"))
	writer := push(t, &gateway, alpine, desc)
	if _, err := writer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-received
		cancel()
	}()
	if err := writer.Commit(ctx, desc.Size, desc.Digest); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestPushTruncate(t *testing.T) {
	var gateway fake.Gateway
	writer := push(t, &gateway, alpine, descriptorOf(ocispec.MediaTypeImageLayer, []byte("x")))
	if err := writer.Truncate(0); err != nil {
		t.Errorf("to where it is: %v", err)
	}
	if err := writer.Truncate(1); !errdefs.IsNotImplemented(err) {
		t.Errorf("to elsewhere: %v", err)
	}
}
